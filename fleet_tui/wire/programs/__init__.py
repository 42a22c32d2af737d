"""Agents that are a program, on a host or here, with runs that survive any interruption."""
