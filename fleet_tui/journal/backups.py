"""Copies of a journal directory: made while an engine works, proved before they are called good,
and put back in its place.

A backup is a journal directory like any other, of single files and without a lock, so everything
that reads a ledger reads a backup too.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from fleet_tui.core.ids import Seq
from fleet_tui.journal.chain import HEAD_NAME, Head, read_head, write_head
from fleet_tui.journal.directory import (
    DIRECTORY_MODE,
    EngineLock,
    check,
    create_private,
    prepare,
    sync_directory,
)
from fleet_tui.journal.errors import (
    BackupFailed,
    JournalDamaged,
    JournalMissing,
    LockHolder,
    UnsafeDirectory,
)
from fleet_tui.journal.segments import (
    BUSY_TIMEOUT_S,
    SegmentReader,
    newest_epoch,
    numbered_files,
    open_read_only,
)
from fleet_tui.journal.statements import query
from fleet_tui.journal.verifying import Verdict, verify

FAMILIES = ("events", "samples", "logs")
COPY_PAGES = 4_096
"""Pages per step of a copy: the engine commits in between."""
UNKNOWN_EPOCHS = 1_000
"""A restored ledger is this far ahead of its backup when nobody can say how many engines came
after it: hosts refuse an engine whose epoch is older than one they have seen."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A verified copy of a journal."""

    path: str
    events: int
    """Events in it that were checked: all of them."""
    last_seq: Seq
    last_at_ms: int
    bytes: int
    left_out: tuple[str, ...] = ()
    """Telemetry files that could not be copied. The ledger is never among them."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was put in place of what."""

    copy: Copied
    aside: str | None
    """Where the directory that was there is now; None when there was none."""
    old_last_seq: Seq | None
    """Where the old ledger ended; None when it could not be read or there was none."""
    old_last_at_ms: int | None

    @property
    def is_behind(self) -> bool:
        """Whether something may have happened that the restored ledger does not know."""
        return self.aside is not None and self.old_last_seq != self.copy.last_seq


def back_up(directory: Path, target: Path) -> Copied:
    """Copy a journal, beside a working engine or without one, and prove the copy.

    ``target`` must not exist; it appears under its name only when it is whole and proved. Raises
    JournalMissing, JournalDamaged for a ledger that is not what was written, JournalTooNew,
    BackupFailed and UnsafeDirectory.
    """
    check(directory)
    if target.exists() or target.is_symlink():
        raise BackupFailed(f"{target} is there already", hint="name a path that is not there")
    try:
        target.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        with _temporary(target) as work:
            copied = _copy_and_prove(directory, work)
            os.rename(work, target)
            sync_directory(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"cannot write the backup {target}: {error}") from error
    return msgspec.structs.replace(copied, path=str(target))


def restore(source: Path, directory: Path, holder: LockHolder, aside: Path) -> Restored:
    """Put a copy of a backup in place of a journal directory, which is kept at ``aside``.

    The backup is proved before and after it is copied and is not changed. The epoch is raised above
    every engine's that is known, so that hosts listen to the next one. Raises JournalInUse while an
    engine runs, JournalMissing, JournalDamaged, JournalTooNew, UnsafeDirectory and BackupFailed.
    """
    _check_source(source, directory)
    prepare(directory)
    lock = EngineLock(directory, holder)
    try:
        old = _end_of(directory)
        try:
            with _temporary(directory) as work:
                copied = _copy_and_prove(source, work)
                _raise_epoch(work, _epoch_after(source, directory, old))
                held_none = old is None and not (directory / HEAD_NAME).exists()
                os.rename(directory, aside)
                try:
                    os.rename(work, directory)
                except OSError:
                    os.rename(aside, directory)
                    raise
                sync_directory(directory.parent)
        except (OSError, sqlite3.Error) as error:
            raise BackupFailed(f"cannot restore {source}: {error}") from error
    finally:
        lock.release()
    return Restored(
        copy=msgspec.structs.replace(copied, path=str(directory)),
        aside=None if held_none and _forget(aside) else str(aside),
        old_last_seq=old[0] if old is not None else None,
        old_last_at_ms=old[1] if old is not None else None,
    )


def _check_source(source: Path, directory: Path) -> None:
    if not source.is_dir():
        raise JournalMissing(f"there is no backup {source}")
    if directory.exists() and source.resolve() == directory.resolve():
        raise BackupFailed("a journal cannot be restored from itself")
    try:
        check(source)
    except UnsafeDirectory as error:
        reason = f"the backup cannot be trusted: {error.message}"
        raise UnsafeDirectory(reason, hint=error.hint) from error


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A private directory beside ``target`` for what becomes it; removed when it does not."""
    work = target.with_name(f".{target.name}.new")
    if work.exists():
        shutil.rmtree(work)
    work.mkdir(mode=DIRECTORY_MODE)
    try:
        yield work
    finally:
        if work.exists():
            shutil.rmtree(work)


def _copy_and_prove(source: Path, work: Path) -> Copied:
    """Everything that was committed when the copy began, at the least. Raises JournalDamaged."""
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
        write_head(work, remembered)  # so that the proof misses nothing that was written before
    verdict = verify(work)
    if not verdict.intact:
        raise _damaged(source, verdict)
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
        events=verdict.events,
        last_seq=Seq(last_seq),
        last_at_ms=last_at_ms,
        bytes=sum(path.stat().st_size for path in work.iterdir()),
        left_out=tuple(left_out),
    )


def _copy_file(source: Path, target: Path) -> None:
    """One consistent database as one file, on the disk when this returns."""
    target.unlink(missing_ok=True)
    os.close(create_private(target))
    with closing(open_read_only(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing, pages=COPY_PAGES, sleep=0.0)
        writing.execute("PRAGMA journal_mode = DELETE")
    file = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _damaged(directory: Path, verdict: Verdict) -> JournalDamaged:
    first, last = verdict.first_bad_seq or 1, verdict.last_bad_seq or 1
    return JournalDamaged(directory, verdict.reason, first, last)


def _end_of(directory: Path) -> tuple[Seq, int] | None:
    """(position, instant) of a ledger's last event; None when it cannot be read."""
    files = numbered_files(directory, "events")
    if not files:
        return None
    with suppress(sqlite3.Error), closing(SegmentReader(files[-1][1])) as segment:
        seq, at_ms = segment.ends()[1]
        return Seq(seq), at_ms
    return None


def _epoch_after(source: Path, directory: Path, old: tuple[Seq, int] | None) -> int:
    backed_up = newest_epoch(source)
    if old is None:
        return backed_up + UNKNOWN_EPOCHS
    with suppress(sqlite3.Error):
        return max(backed_up, newest_epoch(directory))
    return backed_up + UNKNOWN_EPOCHS


def _raise_epoch(directory: Path, epoch: int) -> None:
    path = numbered_files(directory, "events")[-1][1]
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    with closing(connection):
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(query("segment_raise"), {"epoch": epoch})


def _forget(aside: Path) -> bool:
    """An old directory that never held a journal is nothing to keep."""
    with suppress(OSError):
        shutil.rmtree(aside)
        return True
    return False
