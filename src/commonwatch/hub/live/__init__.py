"""What is held open: leases of streams, and whom a change of policy touches."""
