"""The ledger and telemetry on disk: the only SQL of the program.

One writer, any number of readers. Three families of SQLite files by how long they are kept:
``events-*`` (the ledger, hash-chained, kept), ``samples-*`` and ``logs-*`` (telemetry, bounded).
"""
