"""The only Textual: what the operator sees and does."""
