"""Commonwatch: many small organisations, one watch.

SMEs pool what their security tools see, each under Data Sharing Agreements it writes, signs and can revoke.
Rooms and layers are drawn in ARCHITECTURE.md; imports only point downwards (held by import-linter).
"""

__version__ = "0.1.0"
