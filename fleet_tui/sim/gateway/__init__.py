"""A simulated OpenClaw gateway that answers as a real one does, release by release."""
