"""Privacy: pseudonyms and the way back from them; private releases and what they cost in `release`."""
