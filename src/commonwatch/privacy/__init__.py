"""Privacy: pseudonyms here; releases, noise and the ledger join this room later."""
