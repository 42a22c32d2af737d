"""Earlier sessions and the ledger event by event."""
