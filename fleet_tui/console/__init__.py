"""The operator's console; the only package that uses Textual."""
