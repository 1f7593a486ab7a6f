"""Partners' intelligence at the hub: where it comes from, what is held of it, how it is fetched."""
