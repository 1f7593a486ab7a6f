"""What comes down from the hub and is believed only as far as it is proven: snapshots, log heads, indicators."""
