"""The ledger on disk: written by one, read by all, proved by its hash chain."""
