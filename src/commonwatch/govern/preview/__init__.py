"""What a draft would do to one owner's own events: the real path under an imagined policy, and nothing of it kept."""
