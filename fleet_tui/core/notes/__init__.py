"""Notes: moments that an operator marked, with text."""
