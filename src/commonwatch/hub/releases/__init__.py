"""Releases as the hub makes and serves them: plans and tiers, the closing of days, what is kept, what readers get."""
