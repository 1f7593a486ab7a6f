"""From files to the spool: which files, their bytes, what becomes of each record."""
