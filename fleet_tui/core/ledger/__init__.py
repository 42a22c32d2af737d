"""The ledger: its events and commands, what they mean in a state, and the state they add up to."""
