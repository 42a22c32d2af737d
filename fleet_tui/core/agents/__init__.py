"""Agents: what a probe finds, what probes and outcomes add up to, one word for each."""
