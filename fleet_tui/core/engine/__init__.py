"""The engine as the ledger tells it: its life, its mode, and the fleet file that it follows."""
