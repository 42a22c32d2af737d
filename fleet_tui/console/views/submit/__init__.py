"""New work: what was typed, the form for it, and a dead letter as new work."""
