"""Agents: the table, one agent, what the fleet file says of it."""
