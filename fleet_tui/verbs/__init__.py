"""What an operator can do, each thing once: the command line and the console are made from it."""
