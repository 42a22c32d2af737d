"""Alerts: the closed list of rules, and when each is raised."""
