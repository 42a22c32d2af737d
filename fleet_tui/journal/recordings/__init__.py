"""Recordings: portable slices of the ledger, and opening them from untrusted sources."""
