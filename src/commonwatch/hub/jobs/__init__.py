"""What a serving hub does by itself: tell gateways and browsers, sign checkpoints, compact, log decisions."""
