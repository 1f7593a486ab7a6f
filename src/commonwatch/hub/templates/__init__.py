"""Templates as people find them: those that come with the program, and those a community's steward publishes."""
