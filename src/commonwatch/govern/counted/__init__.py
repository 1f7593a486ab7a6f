"""Counting for releases: which owners consent to a plan, and what their organisations newly saw. Never for a reader."""
