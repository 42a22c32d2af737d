"""Rows and documents as safe text with a meaning, made without any widget."""
