"""The console about itself: help, messages, the first time."""
