"""One module per view of the fleet."""
