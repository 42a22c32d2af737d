"""Segments: the files ``events-<first seq>.db`` that add up to the ledger.

A segment opens with an event that carries the state of everything before it, so reading may begin
at any segment. It appears under its name only when it is complete.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.journal.directory import create_private, sync_directory
from fleet_tui.journal.errors import JournalTooNew, JournalUnfinished
from fleet_tui.journal.ledger.chain import ChainRow, Head
from fleet_tui.journal.ledger.codec import decode_leniently
from fleet_tui.journal.ledger.statements import query, schema

FORMAT = 1
"""The newest file format this version knows, in every family."""

SQLITE_VERSION = sqlite3.sqlite_version

MAX_EPOCH = 2**53
"""No engine reaches it; imported recordings have it, so that none can write there."""

BUSY_TIMEOUT_S = 5.0
LOCK_WAIT_S = 2.0
"""How long an engine waits for another program's lock before its callers get an error. Our own
checkpoints and backups hold locks for less time."""
PAGE_BYTES = 16 * 1024 * 1024
"""Of bodies read at a time: a page of large events ends early."""
MAX_TASK_EVENTS = 10_000
"""The displayed story of one task is cut after this many events of a segment."""

_DIGITS = 16
_BODY = 5
"""The index of the body in a row."""

EventRow = tuple[int, int, int, str, int, bytes, bytes, str | None]
"""A row of ``events`` with the task it is about."""


class Submission(NamedTuple):
    """The submission of a task."""

    seq: int
    number: int
    task: str


class _Numbered(msgspec.Struct):
    """The part of a ``task.submitted`` that is used here."""

    number: int


_numbered = msgspec.json.Decoder(_Numbered)


class SegmentInfo(NamedTuple):
    """The metadata of a segment."""

    first_seq: int
    previous_hash: bytes
    epoch: int
    sealed: bool


def segment_path(directory: Path, first_seq: int) -> Path:
    """The path of the segment that begins at ``first_seq``."""
    return directory / f"events-{first_seq:0{_DIGITS}d}.db"


def numbered_files(directory: Path, family: str) -> list[tuple[int, Path]]:
    """(number, path) of a family's files, in order; other names are not ours and ignored."""
    found = []
    for path in directory.glob(f"{family}-*.db"):
        number = path.stem.removeprefix(f"{family}-")
        if number.isdecimal() and len(number) <= _DIGITS:
            found.append((int(number), path))
    return sorted(found)


def open_read_only(path: Path) -> sqlite3.Connection:
    """A read-only connection. Raises JournalTooNew, JournalUnfinished, or sqlite3.Error for a file
    that is not one of our databases."""
    if path.exists() and not path.is_file():  # SQLite would wait for the other end of a pipe
        raise sqlite3.DatabaseError("it is not a regular file")
    connection = sqlite3.connect(
        f"file:{_quoted(path)}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA trusted_schema = 0")
        check_format(connection, path)
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            raise JournalUnfinished(path) from error
        raise
    except BaseException:  # the file is closed
        connection.close()
        raise
    return connection


def check_format(connection: sqlite3.Connection, path: Path) -> None:
    """Raises JournalTooNew when the file was written by a newer version and cannot be read by this
    one, sqlite3.DatabaseError when no version wrote it. A file says its format in ``user_version``,
    and in ``application_id`` the lowest format that a program must know to read it (0: the same);
    to write it a program must know the file's own. Views and triggers, which could run without end,
    are in none, except for the fence."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (needed,) = connection.execute("PRAGMA application_id").fetchone()
    if found < 1 or not 0 <= needed <= found:
        raise sqlite3.DatabaseError(f"it says that it has format {found} and needs {needed}")
    if (needed or found) > FORMAT:
        raise JournalTooNew(path, found, FORMAT)
    try:
        foreign = connection.execute(query("foreign_code")).fetchone()
    except UnicodeDecodeError:  # SQLite's complaint repeats the damaged schema
        raise sqlite3.DatabaseError("malformed database schema") from None
    if foreign is not None:
        raise sqlite3.DatabaseError(
            "it has a {} that no version of fleet-tui made".format(*foreign)
        )


def create_database(path: Path, family: str) -> sqlite3.Connection:
    """A new private file with a family's tables, open for writing; no WAL yet."""
    os.close(create_private(path))
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.executescript(f"BEGIN; {schema(family)} PRAGMA user_version = {FORMAT}; COMMIT;")
    except BaseException:  # the file is closed
        connection.close()
        raise
    return connection


def create_segment(directory: Path, previous: Head, rows: Iterable[EventRow], epoch: int) -> Path:
    """Write a new segment after ``previous``; readers see all of its rows or no file.

    The rows must continue the chain. Raises FileExistsError when another process made the segment,
    sqlite3.Error and OSError when the disk refuses.
    """
    first_seq = previous.seq + 1
    path = segment_path(directory, first_seq)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with closing(create_database(temporary, "events")) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(query("segment_insert"), (first_seq, previous.hash, epoch))
        connection.executemany(query("event_insert"), rows)
        connection.execute("COMMIT")
    os.link(temporary, path)  # unlike a rename it never replaces what another engine made
    temporary.unlink()
    sync_directory(directory)
    return path


def recorded(row: ChainRow) -> Recorded:
    """The row as an event; one that cannot be read is kept as unknown."""
    return Recorded(
        Seq(row.seq), row.at_ms, Epoch(row.epoch), decode_leniently(row.kind, row.v, row.body)
    )


def newest_epoch(directory: Path) -> int:
    """The epoch of the engine that owns the ledger; 0 without one. Raises sqlite3.Error."""
    files = numbered_files(directory, "events")
    if not files:
        return 0
    with closing(SegmentReader(files[-1][1])) as segment:
        return segment.info().epoch


class SegmentReader:
    """Reads one segment. Every method is one short transaction."""

    def __init__(self, path: Path) -> None:
        """Raises JournalTooNew, or sqlite3.Error when the file is not a segment."""
        self.path = path
        self._connection = open_read_only(path)
        self._files = self._identities()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def is_current(self) -> bool:
        """Whether the opened files still have their names: a reader of a log that was removed and
        recreated never sees anything new."""
        now = self._identities()
        self._files = tuple(was or found for was, found in zip(self._files, now, strict=True))
        return all(was == found for was, found in zip(self._files, now, strict=True) if found)

    def _identities(self) -> tuple[tuple[int, int] | None, ...]:
        found: list[tuple[int, int] | None] = []
        for suffix in ("", "-wal", "-shm"):
            try:
                file = os.lstat(f"{self.path}{suffix}")
            except OSError:
                found.append(None)
            else:
                found.append((file.st_dev, file.st_ino))
        return tuple(found)

    def info(self) -> SegmentInfo:
        """The current metadata of the segment."""
        found = self._connection.execute(query("segment_read")).fetchone()
        if found is None:
            raise sqlite3.DatabaseError("it does not say which segment it is")
        first_seq, previous_hash, epoch, sealed = found
        if not 0 <= epoch <= MAX_EPOCH:
            raise sqlite3.DatabaseError(f"it says that engine {epoch} owns it")
        return SegmentInfo(first_seq, previous_hash, epoch, bool(sealed))

    def rows(self, after: int, limit: int) -> list[ChainRow]:
        """The next rows after a position, at most ``limit`` and little more than PAGE_BYTES."""
        return [ChainRow._make(row) for row in self._page("events_after", after, limit)]

    def all_rows(self, after: int, page: int) -> Iterator[ChainRow]:
        """All rows after a position, read in pages so that no transaction stays open."""
        while rows := self.rows(after, page):
            yield from rows
            after = rows[-1].seq

    def filed_rows(self, after: int, page: int) -> Iterator[tuple[ChainRow, str | None]]:
        """Like :meth:`all_rows`, with the task under which each row is indexed."""
        while True:
            found = self._page("events_filed", after, page)
            if not found:
                return
            for *row, task in found:
                yield ChainRow._make(row), task
            after = found[-1][0]

    def problem(self, *, thorough: bool) -> str:
        """The fault that SQLite itself finds in the file; empty when there is none. ``thorough``
        also compares indexes with their tables, which takes several times as long."""
        check = "integrity_check" if thorough else "quick_check"
        (first,) = self._connection.execute(f"PRAGMA {check}(1)").fetchone()
        return "" if first == "ok" else str(first).splitlines()[0]

    def events(self, after: int, limit: int) -> list[Recorded]:
        """The next rows as events: :meth:`rows` and :func:`recorded` without the detour."""
        return [
            Recorded(seq, at_ms, epoch, decode_leniently(kind, v, body))
            for seq, at_ms, epoch, kind, v, body, _ in self._page("events_after", after, limit)
        ]

    def task_rows(self, task: str, after: int = 0) -> list[ChainRow]:
        """The next rows about one task, at most MAX_TASK_EVENTS and little more than PAGE_BYTES."""
        page = self._page("events_of_task", task, after, MAX_TASK_EVENTS)
        return [ChainRow._make(row) for row in page]

    def submission_from(self, first: int, end: int) -> Submission | None:
        """The first task submitted from ``first`` on, before ``end``."""
        found = self._connection.execute(query("submission_from"), (first, end)).fetchone()
        if found is None:
            return None
        seq, body, task = found
        try:
            number = _numbered.decode(body).number
        except (ValueError, RecursionError):  # of a foreign recording; it is found by its id
            number = 0
        return Submission(seq, number, task)

    def engine_rows(self) -> list[ChainRow]:
        """Starts and ends of engines."""
        return self._rows("events_of_engine")

    def tasks_between(self, first: int, end: int) -> int:
        """How many tasks were submitted from ``first`` on, before ``end``."""
        (count,) = self._connection.execute(query("tasks_between"), (first, end)).fetchone()
        return int(count)

    def ends(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(seq, instant) of the first and of the last event."""
        first = self._connection.execute(query("event_first")).fetchone()
        last = self._connection.execute(query("event_last")).fetchone()
        if first is None or last is None:
            raise sqlite3.DatabaseError("it has no events")
        return (first[0], first[1]), (last[0], last[1])

    def mark(self, seq: int) -> tuple[int, bytes] | None:
        """Instant and hash of one event; None when it is not here."""
        found = self._connection.execute(query("event_mark"), (seq,)).fetchone()
        return None if found is None else (found[0], found[1])

    def _page(self, name: str, *parameters: int | str) -> list[Any]:
        """Rows of events, up to PAGE_BYTES of bodies, at least one where there is one."""
        page, size = [], 0
        with closing(self._connection.execute(query(name), parameters)) as found:
            for row in found:
                page.append(row)
                size += len(row[_BODY] or b"")  # a damaged row may have none
                if size >= PAGE_BYTES:
                    break
        return page

    def _rows(self, name: str, *parameters: int | str) -> list[ChainRow]:
        found = self._connection.execute(query(name), parameters).fetchall()
        return [ChainRow._make(row) for row in found]


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
