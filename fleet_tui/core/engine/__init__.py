"""The engine as the ledger records it: starts and stops, mode, the fleet file in force, and the
protocol between consoles and engine."""
