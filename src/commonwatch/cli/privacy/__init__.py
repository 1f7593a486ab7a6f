"""`commonwatch privacy` and what an owner does with its own pseudonyms."""
