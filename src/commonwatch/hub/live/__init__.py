"""What is held open: the leases of all streams."""
