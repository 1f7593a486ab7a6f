"""What people read about formats: the mapping table, its reference page, the trial of a file."""
