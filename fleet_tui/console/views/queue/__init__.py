"""The queue: how much waits, whether it grows, for whom."""
