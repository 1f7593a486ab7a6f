"""Keeping and letting go: rows whose time is up, owners who leave, backups and when they end.

Rules: what is deleted here is deleted from memory and files, without a byte left; nothing here reads an event.
"""
