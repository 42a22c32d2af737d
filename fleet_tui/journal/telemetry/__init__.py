"""What is kept beside the ledger: looks, the pulse of the fleet, log lines. Bounded."""
