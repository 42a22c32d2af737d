"""Tasks: the table, one task and its story, the card for a verdict."""
