"""Commands about what one site keeps for itself."""
