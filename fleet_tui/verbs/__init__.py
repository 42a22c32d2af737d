"""Everything an operator can do, each defined once: command line and console are made from it."""
