"""The queue: its depth, trend, priorities and pools."""
