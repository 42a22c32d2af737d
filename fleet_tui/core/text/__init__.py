"""Text: what is safe to show, how values read and are typed, what looks like a secret."""
