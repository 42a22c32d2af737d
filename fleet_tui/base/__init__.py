"""Shared by all layers: errors, paths, process confinement, crash files."""
