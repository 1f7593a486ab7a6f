"""Formats as tables: which source path feeds which column, read and written back by one engine."""

from commonwatch.ingest.tables.making import Found, Placed, Unreadable, make
from commonwatch.ingest.tables.table import Col, Table, Tables
from commonwatch.ingest.tables.writing import put_back

__all__ = ["Col", "Found", "Placed", "Table", "Tables", "Unreadable", "make", "put_back"]
