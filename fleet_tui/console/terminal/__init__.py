"""The terminal: what reaches it, what comes from it, and when the console ends."""
