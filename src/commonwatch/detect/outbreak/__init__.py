"""Outbreaks: onsets of organisations, what to expect of them, detectors over both, one budget of false alerts."""
