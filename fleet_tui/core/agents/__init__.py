"""Agents: probe results, the health that probes and outcomes lead to, and the words for each."""
