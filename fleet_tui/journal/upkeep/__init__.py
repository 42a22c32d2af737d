"""Copies of a ledger, putting one back, and room kept for the worst hour."""
