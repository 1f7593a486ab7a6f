"""Who saw what: the record each owner has of what left, and its proof against the audit log."""
