"""New work: the typed fields, the form, and editing a dead letter."""
