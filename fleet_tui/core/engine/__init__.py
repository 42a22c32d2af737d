"""The engine as the ledger tells it: its life, its mode, the fleet file that it follows, and the
protocol in which consoles speak to it."""
