"""The demo: a simulated fleet behind a real SSH server, with half an hour of history."""
