"""Audit: every decision and release in one Merkle log, whose signed heads members keep and check offline."""
