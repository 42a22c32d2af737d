"""The one process that decides and acts, and the only writer of its ledger.

Everything that happens goes through one inbox and one loop: inputs become events by pure functions,
one transaction commits them, and only then do effects start.
"""
