"""Readings that formats share: times, places, hosts, links, hashes, families, and values of a wrong type."""
