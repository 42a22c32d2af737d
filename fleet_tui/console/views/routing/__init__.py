"""Routing decisions as they are made, and the reasons of one."""
