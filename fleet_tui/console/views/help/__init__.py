"""The console's own pages: help, messages, first run."""
