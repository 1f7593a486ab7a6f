"""From a typed question to a governed answer: dimensions, filters, tokens, cells, pages."""
