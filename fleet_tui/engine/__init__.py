"""The one process that makes decisions and acts on them, and the only writer of its ledger.

Everything that happens goes through one inbox and one loop: inputs become events by pure functions,
one transaction commits them, and only then do effects start.
"""
