"""Everything a key can do, why it cannot be done now, and what it asks before."""
