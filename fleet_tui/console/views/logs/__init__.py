"""Log lines: their format, the histogram, and the view of all."""
