"""The planner: what must be seen, and the budget it takes; or a budget, and what can be seen. Public numbers only.

`community` holds the public sizes that are planned with; `accuracy` says how exact a view will be, `power` how large an
outbreak must be, both in closed form from a plan; `planning` goes both ways; `words` says it in English.
"""
