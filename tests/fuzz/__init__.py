"""Fuzzing: targets, mutation for every run of the tests, coverage guidance for long ones."""
