"""Agents: what a look finds, what looks and outcomes add up to, one word for each."""
