"""Does the release keep its promise? The real code on neighbouring communities, and planted faults it must catch."""
