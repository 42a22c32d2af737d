"""Migrates a ledger's files to the newest format, before an engine writes to them.

Each step is a transaction of its own, so a file is in one format or the next and never between; a
verified backup is made before the first. If the engine is killed meanwhile, the next one continues.
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from fleet_tui.journal.errors import JournalTooNew
from fleet_tui.journal.ledger import segments
from fleet_tui.journal.ledger.segments import BUSY_TIMEOUT_S, numbered_files
from fleet_tui.journal.upkeep.backups import back_up

log = logging.getLogger(__name__)

STEPS: Mapping[int, Sequence[str]] = {}
"""A format to the statements that convert it to the next one. Format 1 is the first."""


def migrate(directory: Path) -> None:
    """Bring every segment to the newest format. The caller owns the ledger.

    Raises JournalTooNew for a file of a newer version, which stays as it is, and what
    :func:`back_up` raises: without a verified backup nothing is changed.
    """
    files = [(path, _format_of(path)) for _, path in numbered_files(directory, "events")]
    for path, found in files:
        if found > segments.FORMAT:
            raise JournalTooNew(path, found, segments.FORMAT)
    # A file without a format is not ours, or damaged: its reader reports that.
    old = [(path, found) for path, found in files if 1 <= found < segments.FORMAT]
    if not old:
        return
    oldest = min(found for _, found in old)
    backup = directory.with_name(f"{directory.name}.before-format-{oldest + 1}")
    if not backup.exists():  # an existing one was verified when an engine began this
        back_up(directory, backup)
    log.info("lifting %d files of %s; a backup is in %s", len(old), directory, backup)
    for path, found in old:
        _lift(path, found)


def _format_of(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def _lift(path: Path, found: int) -> None:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    with closing(connection):
        connection.execute("PRAGMA synchronous = FULL")
        for version in range(found, segments.FORMAT):
            connection.execute("BEGIN IMMEDIATE")
            for statement in STEPS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
