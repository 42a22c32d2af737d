"""Widgets that paint line by line."""
