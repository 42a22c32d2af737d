"""Routing decisions as they are made, and the reasons for one."""
