"""A seeded fleet that behaves like a real one: for tests, the demo and the pictures."""
