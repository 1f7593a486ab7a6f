"""What each owner's privacy budget was spent on, and that it is never overspent."""
