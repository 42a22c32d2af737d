"""Other people's lists of hosts to a ``fleet.yaml``. Passwords and keys are never copied."""
