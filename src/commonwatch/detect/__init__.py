"""Detect: early warning from what a reader is shown. First cut: how many organisations newly see a malware family."""
