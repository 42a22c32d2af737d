"""How to reach an agent. Expected failures are values here; exceptions are bugs."""
