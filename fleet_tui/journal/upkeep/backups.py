"""Backups of a journal directory: made while an engine works, verified before they count.

A backup is a journal directory like any other, with single files and without a lock, so everything
that reads a ledger can read a backup.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from fleet_tui.core.ids import Seq
from fleet_tui.journal.directory import (
    DIRECTORY_MODE,
    check,
    create_private,
    sync_directory,
    unfinished_copy,
)
from fleet_tui.journal.errors import (
    BackupFailed,
    JournalDamaged,
    JournalMissing,
    JournalUnfinished,
)
from fleet_tui.journal.ledger.chain import Head, read_head, write_head
from fleet_tui.journal.ledger.segments import SegmentReader, numbered_files, open_read_only
from fleet_tui.journal.ledger.verifying import Verification, dropped_unless_in_use, verify

FAMILIES = ("events", "samples", "logs")
COPY_PAGES = 4_096
"""Pages per step of a copy: the engine commits in between."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A verified copy of a journal."""

    path: str
    events: int
    """Events in it, all of them verified."""
    last_seq: Seq
    last_at_ms: int
    bytes: int
    left_out: tuple[str, ...] = ()
    """Telemetry files that could not be copied. The ledger is never among them."""


def back_up(directory: Path, target: Path) -> Copied:
    """Copy a journal, with or without a running engine, and verify the copy.

    ``target`` must not exist; it appears under its name only when it is complete and verified.
    Raises JournalMissing, JournalDamaged for a damaged ledger, JournalTooNew, BackupFailed and
    UnsafeDirectory.
    """
    check(directory)
    if target.exists() or target.is_symlink():
        raise BackupFailed(f"{target} is there already", hint="name a path that is not there")
    try:
        target.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        with _temporary(target) as work:
            copied = copy_and_prove(directory, work)
            os.rename(work, target)
            sync_directory(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"cannot write the backup {target}: {error}") from error
    return msgspec.structs.replace(copied, path=str(target))


def begin_copy(target: Path) -> Path:
    """An empty private directory next to ``target`` in which to build it. Raises OSError."""
    work = unfinished_copy(target)
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(mode=DIRECTORY_MODE)
    return work


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A private directory next to ``target`` in which to build it; removed if that fails."""
    work = begin_copy(target)
    try:
        yield work
    finally:
        if work.exists():
            shutil.rmtree(work)


def copy_and_prove(source: Path, work: Path) -> Copied:
    """Copy at least everything that was committed when the copy began. Raises JournalDamaged and
    BackupFailed."""
    try:
        remembered = read_head(source)
    except ValueError as error:
        raise JournalDamaged(source, "its head file is not readable", 1, 1) from error
    files: list[tuple[int, Path]] = []
    while (now := numbered_files(source, "events")) != files:
        for first_seq, path in now:
            if (first_seq, path) not in files[:-1]:  # the newest one grew, or was sealed
                _copy_file(path, work / path.name)
        files = now
    if not files:
        raise JournalMissing(f"there is no journal in {source}")
    if remembered is not None:
        write_head(work, remembered)  # so that the verification covers everything written before
    try:
        checked = verify(work)
    except JournalUnfinished as error:  # SQLite could not remove its own temporary file
        raise BackupFailed(f"the disk did not let the copy end in {work}") from error
    if not checked.intact:
        raise _damaged(source, checked)
    if (lost := dropped_unless_in_use(source)) is not None:
        first, last = checked.last_seq + 1, checked.last_seq + lost.transactions
        raise JournalDamaged(source, lost.reason, first, last)
    left_out = []
    for family in FAMILIES[1:]:
        for _, path in numbered_files(source, family):
            try:
                _copy_file(path, work / path.name)
            except sqlite3.Error:
                (work / path.name).unlink(missing_ok=True)
                left_out.append(path.name)
    with closing(SegmentReader(work / files[-1][1].name)) as segment:
        last_seq, last_at_ms = segment.ends()[1]
        mark = segment.mark(last_seq)
    assert mark is not None
    write_head(work, Head(Seq(last_seq), mark[1]))
    return Copied(
        path=str(work),
        events=checked.events,
        last_seq=Seq(last_seq),
        last_at_ms=last_at_ms,
        bytes=sum(path.stat().st_size for path in work.iterdir()),
        left_out=tuple(left_out),
    )


def _copy_file(source: Path, target: Path) -> None:
    """Copy one consistent database to one file, which is on the disk when this returns."""
    target.unlink(missing_ok=True)
    os.close(create_private(target))
    with closing(open_read_only(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.execute("BEGIN")  # a commit in between would make SQLite restart the copy
        reading.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        reading.backup(writing, pages=COPY_PAGES, sleep=0.0)
        writing.execute("PRAGMA journal_mode = DELETE")
    file = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _damaged(directory: Path, checked: Verification) -> JournalDamaged:
    first, last = checked.first_bad_seq or 1, checked.last_bad_seq or 1
    return JournalDamaged(directory, checked.reason, first, last)
