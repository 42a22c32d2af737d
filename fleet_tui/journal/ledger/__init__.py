"""The ledger on disk: one writer, many readers, verified by its hash chain."""
