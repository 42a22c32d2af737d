"""Data stored outside the ledger: probe results, samples of the fleet, log lines. Bounded."""
