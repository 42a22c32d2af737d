"""What is kept beside the ledger: probe results, the pulse of the fleet, log lines. Bounded."""
