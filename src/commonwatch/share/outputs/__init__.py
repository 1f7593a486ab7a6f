"""Outputs: a reader's indicators in the words of the tools that act on them. Pure; what may leave is decided before."""
