"""What a serving hub does beside answering: log decisions, sign checkpoints, compact."""
