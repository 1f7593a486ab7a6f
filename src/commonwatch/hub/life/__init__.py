"""The life of an agreement: drafts, offers that collect signatures, steps, keys, and what the clock brings about.

Rules: every step is one transaction with its audit entry and its notifications; what is not signed by every party is
absent; who is no party is told the same as if it did not exist.
"""
