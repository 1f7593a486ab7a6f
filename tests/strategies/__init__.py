"""Hypothesis strategies shared by the tests of several rooms."""
