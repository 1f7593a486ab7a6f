"""What stands out in a selection against a baseline: mining, tests, words. Only `asking` asks govern."""
