"""Small real implementations of ports, in memory, for tests of one room at a time."""
