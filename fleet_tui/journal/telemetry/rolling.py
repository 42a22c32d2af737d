"""Rolling telemetry files: written in parallel with the ledger, bounded, and never blocking it.

A family is a series of files ``<family>-<first row id>.db``; row ids grow over all of them. Rows
wait in a bounded buffer and are written in batches on the family's own connection; rows that do not
fit are dropped and counted. Old files are deleted whole, oldest first. A damaged file is deleted:
this is telemetry, and every decision is in the ledger.
"""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import ClassVar, Self

import aiosqlite
import msgspec

from fleet_tui.journal.errors import JournalError
from fleet_tui.journal.ledger.segments import (
    BUSY_TIMEOUT_S,
    check_format,
    create_database,
    numbered_files,
    open_read_only,
)
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.ledger.troubles import is_damage

log = logging.getLogger(__name__)

MAX_BUFFERED_ROWS = 50_000
MAX_BATCH_ROWS = 2_000
MAX_OPEN_FILES = 32

_REFUSED = (sqlite3.Error, OSError, JournalError)
_ROWS_A_LOST_FILE_MAY_HAVE_HAD = 100_000_000

Value = str | bytes | int | None
RollingRow = tuple[Value, ...]
"""A row without its id."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The retention limits of a family."""

    file_bytes: int
    files: int
    keep_ms: int
    """Files whose newest row is older than this, by the rows' own instants, are dropped."""


class RollingConnection(sqlite3.Connection):
    """A connection whose ``executemany`` is one whole transaction."""

    def executemany(  # type: ignore[override]  # narrower than sqlite3's: rows only
        self, sql: str, rows: Sequence[RollingRow], /
    ) -> sqlite3.Cursor:
        """All rows or none. Raises sqlite3.Error; the transaction is then over."""
        self.execute("BEGIN IMMEDIATE")
        try:
            cursor = super().executemany(sql, rows)
            self.index(rows)
            self.execute("COMMIT")
        except BaseException:  # the transaction is rolled back
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise
        return cursor

    def index(self, rows: Sequence[RollingRow]) -> None:
        """Further data of a family about its rows; in the same transaction."""


class RollingWriter:
    """Writes one family. Created by :meth:`open`; must be closed. Subclasses define the family."""

    family: ClassVar[str]
    insert: ClassVar[str]
    """The statement's name."""
    usual: ClassVar[Bounds]
    factory: ClassVar[type[RollingConnection]] = RollingConnection

    def __init__(self, directory: Path, bounds: Bounds) -> None:
        self.dropped = 0
        """Rows that were lost because the buffer was full or the disk refused."""
        self.failure = ""
        """The last error of the disk; empty when the last batch succeeded."""
        self._directory = directory
        self._insert = query(self.insert)
        self._bounds = bounds
        self._newest_id = 0
        self._first_at_ms: int | None = None
        self._connection: aiosqlite.Connection | None = None
        self._path = directory
        """The current file; the directory while none was found yet."""
        self._rows: deque[RollingRow] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, directory: Path, bounds: Bounds | None = None) -> Self:
        """In a directory that :func:`fleet_tui.journal.directory.prepare` has made."""
        writer = cls(directory, bounds or cls.usual)
        await writer.start()
        return writer

    async def start(self) -> None:
        """Open the newest file. If that fails, :attr:`failure` has the reason, and the next rows
        retry it."""
        try:
            await self._connect()
        except _REFUSED as error:
            self._failed(error)
        self._task = asyncio.create_task(self._run(), name=f"{self.family} writer")

    @property
    def newest_id(self) -> int:
        """The newest stored row; 0 before the first."""
        return self._newest_id

    @property
    def room(self) -> int:
        """How many rows the buffer can take now."""
        return MAX_BUFFERED_ROWS - len(self._rows)

    def offer(self, rows: Iterable[RollingRow]) -> int:
        """Pass on rows, whose first value is their instant; returns how many were not accepted."""
        before, rejected = len(self._rows), 0
        for row in rows:
            if len(self._rows) < MAX_BUFFERED_ROWS and not self._closing:
                self._rows.append(row)
            else:
                rejected += 1
        self.dropped += rejected
        if len(self._rows) > before:
            self._idle.clear()
            self._wake.set()
        return rejected

    async def flush(self) -> None:
        """Return when all rows passed so far are stored or dropped."""
        await self._idle.wait()

    async def close(self) -> None:
        """Store the pending rows and close. Safe to call twice."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while not self._closing or self._rows:
                await self._wake.wait()
                self._wake.clear()
                while self._rows:
                    size = min(len(self._rows), MAX_BATCH_ROWS)
                    await self._store([self._rows.popleft() for _ in range(size)])
                self._idle.set()
            await self._disconnect()
        except BaseException:  # its thread is ended
            if self._connection is not None:
                self._connection.stop()  # its thread would keep the process alive
            raise
        finally:
            self._closing = True
            self.dropped += len(self._rows)
            self._rows.clear()
            self._idle.set()

    async def _store(self, rows: list[RollingRow]) -> None:
        lost = len(rows)
        try:
            if self._connection is None:
                await self._connect()
                assert self._connection is not None
            numbered = [(number, *row) for number, row in enumerate(rows, self._newest_id + 1)]
            await self._connection.executemany(self._insert, numbered)
            self._newest_id += len(rows)
            lost = 0
            self.failure = ""
            await self._roll(rows)
        except Exception as error:  # no row may end the writer of all others
            self.dropped += lost  # none where the roll itself failed
            self._failed(error)
            with contextlib.suppress(Exception):  # the next batch opens it again
                await self._disconnect()

    def _failed(self, error: Exception) -> None:
        if not self.failure:
            log.warning("telemetry is not stored, in %s: %s", self._path, error)
        self.failure = f"cannot write {self._path.name}: {error}"

    async def _roll(self, rows: list[RollingRow]) -> None:
        newest_at = rows[-1][0]
        assert isinstance(newest_at, int)
        self._first_at_ms = newest_at if self._first_at_ms is None else self._first_at_ms
        old = newest_at - self._first_at_ms >= self._bounds.keep_ms // self._bounds.files
        if not old and self._path.stat().st_size < self._bounds.file_bytes:
            return
        await self._disconnect()
        self._path = _file(self._directory, self.family, self._newest_id + 1)
        self._first_at_ms = None
        await asyncio.to_thread(_create, self._path, self.family)
        await asyncio.to_thread(self._drop_old, newest_at)
        await self._connect()

    def _drop_old(self, now_ms: int) -> None:
        files = numbered_files(self._directory, self.family)
        for place, (_, path) in enumerate(files[:-1]):
            too_many = place < len(files) - self._bounds.files
            if too_many or _is_over(path, self.family, now_ms - self._bounds.keep_ms):
                _remove(path)

    async def _connect(self) -> None:
        if self._path == self._directory:
            found = await asyncio.to_thread(_end_of, self._directory, self.family)
            self._path, self._newest_id = found
        if not self._path.exists():
            await asyncio.to_thread(_create, self._path, self.family)
        connection = await aiosqlite.connect(
            self._path, isolation_level=None, factory=self.factory, timeout=BUSY_TIMEOUT_S
        )
        try:
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:  # its thread is ended
            connection.stop()
            raise
        self._connection = connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class RollingReader:
    """Reads one family, whose files appear and vanish. From any thread, one call at a time.
    Subclasses define the family."""

    family: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        """A directory without such files is simply empty."""
        self._directory = directory
        self._open: dict[Path, sqlite3.Connection] = {}
        self._lock = Lock()

    def close(self) -> None:
        """Close the files."""
        with self._lock:
            for connection in self._open.values():
                connection.close()
            self._open.clear()

    def newest_id(self) -> int:
        """The newest stored row; 0 when there is none."""
        for _, found in self.each_newest_first(query(f"{self.family}_end"), ()):
            for newest, _ in found:
                assert isinstance(newest, int)
                return newest
        return 0

    def each_newest_first(
        self, sql: str, parameters: Sequence[Value] | dict[str, Value]
    ) -> Iterator[tuple[int, list[tuple[Value, ...]]]]:
        """(first row id, rows) of each file's answer, the newest file first."""
        return self._each(sql, parameters, newest_first=True)

    def each_oldest_first(
        self, sql: str, parameters: Sequence[Value] | dict[str, Value], *, after: int = 0
    ) -> Iterator[tuple[int, list[tuple[Value, ...]]]]:
        """Like :meth:`each_newest_first`, the file that holds row ``after`` first."""
        return self._each(sql, parameters, newest_first=False, after=after)

    def _each(
        self,
        sql: str,
        parameters: Sequence[Value] | dict[str, Value],
        *,
        newest_first: bool,
        after: int = 0,
    ) -> Iterator[tuple[int, list[tuple[Value, ...]]]]:
        files = numbered_files(self._directory, self.family)
        while len(files) > 1 and files[1][0] <= after:
            files.pop(0)
        for first_id, path in reversed(files) if newest_first else files:
            with self._lock:
                try:
                    rows = self._connection(path).execute(sql, parameters).fetchall()
                except sqlite3.Error:  # deleted or damaged meanwhile; telemetry, so continue
                    continue
            yield first_id, rows

    def _connection(self, path: Path) -> sqlite3.Connection:
        connection = self._open.pop(path, None) or open_read_only(path)
        self._open[path] = connection
        while len(self._open) > MAX_OPEN_FILES:
            self._open.pop(next(iter(self._open))).close()
        for gone in [p for p in self._open if not p.exists()]:
            if gone != path:
                self._open.pop(gone).close()
        return connection


def _file(directory: Path, family: str, first_id: int) -> Path:
    return directory / f"{family}-{first_id:016d}.db"


def _create(path: Path, family: str) -> None:
    """It appears under its name only when complete: writes to a file without tables would always
    fail. Raises FileExistsError, sqlite3.Error, OSError."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    create_database(temporary, family).close()
    os.link(temporary, path)  # unlike a rename it never replaces a file of another engine
    temporary.unlink()


def _end_of(directory: Path, family: str) -> tuple[Path, int]:
    """The file to write to and the newest row id. A damaged file is deleted; after one that is
    unreadable for now the next one is begun."""
    files = numbered_files(directory, family)
    if not files:
        return _file(directory, family, 1), 0
    first_id, path = files[-1]
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
            check_format(connection, path)
            found = connection.execute(query(f"{family}_end")).fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            _remove(path)
        newest = first_id + _ROWS_A_LOST_FILE_MAY_HAVE_HAD
        return _file(directory, family, newest + 1), newest
    return path, first_id - 1 if found is None else int(found[0])


def _is_over(path: Path, family: str, before_ms: int) -> bool:
    """Whether a file's newest row is older than that, or the file is damaged. One that is
    unreadable for now is kept."""
    try:
        with contextlib.closing(open_read_only(path)) as connection:
            found = connection.execute(query(f"{family}_end")).fetchone()
    except sqlite3.Error as error:
        return is_damage(error)
    except JournalError:
        return False
    return found is None or int(found[1]) < before_ms


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
