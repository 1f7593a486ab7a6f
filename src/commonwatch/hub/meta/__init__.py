"""The hub's metadata: organisations, people, documents, gateways, keys. SQLite by default, PostgreSQL by URL.

Rules: one transaction per change; every change of policy raises the epoch in that same transaction and leaves an entry
in the outbox, from which the audit log is fed; secrets are stored as hashes or wrapped.
"""
