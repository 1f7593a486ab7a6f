"""Campaigns: incidents that share infrastructure, their identity over days, and who met them first."""
