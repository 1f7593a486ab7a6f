"""Taking back: what a revocation, a suspension or a narrower version withdraws, certified for the owner.

Rules: withdrawing is never this room's doing alone: the next answer obeys whether or not a certificate is ever made. A
certificate names only what came from its owner, and is complete only when every gateway concerned has told so.
"""
