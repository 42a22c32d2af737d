"""Agents that are a program, on a host or here: runs that are found again after anything."""
