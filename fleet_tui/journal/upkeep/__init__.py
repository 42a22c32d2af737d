"""Backups of a ledger, restoring one, and reserved disk space."""
