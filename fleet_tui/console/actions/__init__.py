"""Everything a key can do, why it is unavailable, and which confirmation it needs."""
