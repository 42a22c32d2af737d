"""Dead letters by kind of failure."""
