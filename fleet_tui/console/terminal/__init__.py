"""The terminal: output to it, input from it, and the end of the console."""
