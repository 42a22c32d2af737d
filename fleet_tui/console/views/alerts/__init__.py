"""Alerts: the pane and the view."""
