"""One transaction as one call, with a reliable result whether it was stored."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fleet_tui.journal.directory import Identity, identity
from fleet_tui.journal.ledger.segments import EventRow
from fleet_tui.journal.ledger.troubles import PRIMARY, StorageError, code_of

FAMILY: Final = ("", "-wal", "-shm")
"""The suffixes of SQLite's files of a database in WAL mode."""


class FilesGone(sqlite3.OperationalError):
    """Files that are being written have lost their names: rows just stored in them may be in no
    file that can be opened."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"{' and '.join(names)} was removed or replaced")
        self.names = tuple(names)


class CommitInDoubt(sqlite3.OperationalError):
    """The disk may or may not have the transaction; the error is the cause."""

    def __init__(self, cause: StorageError) -> None:
        super().__init__(str(cause))
        self.cause = cause


_NOT_COMMITTED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY})
"""A COMMIT that fails with these, or with SQLITE_IOERR_WRITE, has not written its last frame."""


class Transaction(sqlite3.Connection):
    """A connection whose ``executemany`` is one whole transaction.

    aiosqlite runs each call on the connection's own thread and pays a thread hop for it; this way a
    batch is one call, and nothing else can come between BEGIN and COMMIT.
    """

    def __init__(self, database: str | Path, *arguments: Any, **options: Any) -> None:
        super().__init__(database, *arguments, **options)
        self._path = Path(database)
        self._files: tuple[Identity | None, ...] | None = None
        """The identities of the segment and its companion files; None before the first commit."""

    def executemany(  # type: ignore[override]  # narrower than sqlite3's: rows only
        self, sql: str, rows: Sequence[EventRow], /
    ) -> sqlite3.Cursor:
        """All rows or none. Raises sqlite3.Error when none were stored; CommitInDoubt and FilesGone
        when the error came so late that the disk may have them. The transaction is over either way.
        Without rows only the files are checked."""
        if not rows:
            self.look_after_files()
            return self.cursor()
        self.execute("BEGIN IMMEDIATE")
        try:
            cursor = super().executemany(sql, rows)
        except BaseException:  # the transaction is rolled back
            self._take_back()
            raise
        try:
            self._commit()
            self._look_after_commit()
        except BaseException:  # the cursor is released
            # The error outlives the connection, and with the cursor in its traceback SQLite would
            # keep the connection open, and share its files that are gone with the next one.
            cursor.close()
            raise
        return cursor

    def _commit(self) -> None:
        try:
            self.execute("COMMIT")
        except sqlite3.Error as error:
            self._take_back()
            code = code_of(error) or 0
            if code == sqlite3.SQLITE_IOERR_WRITE or code & PRIMARY in _NOT_COMMITTED:
                raise
            raise CommitInDoubt(error) from error

    def _look_after_commit(self) -> None:
        """:meth:`look_after_files` after a commit, when an error no longer means that nothing was
        stored."""
        try:
            self.look_after_files()
        except FilesGone:
            raise
        except (sqlite3.Error, OSError, MemoryError) as error:
            raise CommitInDoubt(error) from error

    def look_after_files(self) -> None:
        """Check that the files being written still have their names: without them a commit is
        stored in files that cannot be opened again. The content of a write-ahead log that lost its
        name is moved into the segment, so that none of it is lost. Raises FilesGone;
        sqlite3.Error."""
        now = tuple(identity(f"{self._path}{suffix}") for suffix in FAMILY)
        if self._files is None or None in self._files:
            self._files = now
            return
        gone = [
            f"{self._path.name}{suffix}"
            for suffix, was, found in zip(FAMILY, self._files, now, strict=True)
            if was != found
        ]
        if not gone:
            return
        if now[0] == self._files[0]:
            self.execute("PRAGMA wal_checkpoint(FULL)")
        raise FilesGone(gone)

    def _take_back(self) -> None:
        if not self.in_transaction:
            return
        try:
            self.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise CommitInDoubt(error) from error
