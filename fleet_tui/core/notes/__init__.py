"""Notes: moments that an operator marked, with words."""
