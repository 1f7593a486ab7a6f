"""Sequences: what comes before what across organisations, and how far an attack has come in one of them."""
