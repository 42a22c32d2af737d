"""Recordings: a slice of the ledger that travels, and opening one that anybody may have made."""
