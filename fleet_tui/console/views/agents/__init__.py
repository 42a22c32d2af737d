"""Agents: the table, one agent, its definition."""
