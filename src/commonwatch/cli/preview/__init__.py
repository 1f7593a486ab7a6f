"""Previews on the command line: at a gateway without a hub, and of a hub's own; one way to say both."""
