"""Text: what is safe to show, how values are formatted and parsed, what looks like a secret."""
