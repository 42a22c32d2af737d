"""Log lines: how one reads, how many came when, and the view of all."""
