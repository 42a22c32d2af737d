"""Rows and documents as safe text with tones, built without widgets."""
