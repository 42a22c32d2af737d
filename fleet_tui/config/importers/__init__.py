"""Other programs' lists of hosts to a ``fleet.yaml``. Passwords and keys are never copied."""
