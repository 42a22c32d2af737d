"""Replaces a ledger by a backup, without starting work again that the backup does not know about.

Actions after the backup was made are not in it. The copy is therefore frozen before it is put in
place: whenever the restore ends or is interrupted, no engine finds a restored ledger that is not
frozen.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from fleet_tui.core.engine.events import EngineModeChanged
from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode
from fleet_tui.journal.directory import EngineLock, check, holder_now, prepare, sync_directory
from fleet_tui.journal.errors import BackupFailed, JournalMissing, UnsafeDirectory
from fleet_tui.journal.ledger.chain import HEAD_NAME, Head, read_head
from fleet_tui.journal.ledger.segments import (
    BUSY_TIMEOUT_S,
    SegmentReader,
    newest_epoch,
    numbered_files,
)
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.ledger.wal import dropped
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.upkeep.backups import Copied, begin_copy, copy_and_prove

UNKNOWN_EPOCHS = 1_000
"""Added to the epoch of a restored ledger when it is unknown how many engines came after its
backup: hosts refuse an engine whose epoch is older than one they have seen."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a restore."""

    copy: Copied
    aside: str | None
    """Where the previous directory is now; None when it held no ledger."""
    old_last_seq: Seq | None
    """The end of the old ledger; None when it could not be read or there was none."""
    old_last_at_ms: int | None
    is_behind: bool
    """Whether the restored ledger may lack events: always, except for an old ledger that provably
    ends where the backup ends. The restored one is frozen then."""


class _End(NamedTuple):
    """The end of the old ledger."""

    head: Head
    at_ms: int
    sure: bool
    """Its head file has the same end: nothing after it is missing."""


async def restore(
    source: Path, directory: Path, aside: Path, now_ms: Callable[[], int], version: str, pid: int
) -> tuple[Restored, FleetState]:
    """Put a copy of a backup in place of a journal directory, which is kept at ``aside``.

    The backup is verified before and after it is copied and is not changed. The epoch is raised
    above that of every known engine, so that hosts accept the next one. Returns with the state of
    the restored ledger. Raises JournalInUse while an engine runs, JournalMissing, JournalDamaged,
    JournalTooNew, JournalFull, JournalFailed, UnsafeDirectory and BackupFailed; the previous
    directory is then still in place.
    """
    _check_source(source, directory)
    prepare(directory)
    lock = EngineLock(directory, holder_now(pid, now_ms))
    try:
        old = _end_of(directory)
        was_empty = not (numbered_files(directory, "events") or (directory / HEAD_NAME).exists())
        work = begin_copy(directory)
        try:
            copied = copy_and_prove(source, work)
            _raise_epoch(work, _epoch_after(source, directory, old))
            behind = old is None or not old.sure or old.head != read_head(work)
            state = await _own_once(work, copied, behind, now_ms, version, pid)
        except BaseException:  # remove the copy; the previous directory is untouched
            shutil.rmtree(work)
            raise
        _exchange(directory, aside, work)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(f"cannot restore {source}: {error}") from error
    finally:
        lock.release()
    done = Restored(
        copy=msgspec.structs.replace(copied, path=str(directory)),
        aside=None if was_empty and _forget(aside) else str(aside),
        old_last_seq=old.head.seq if old is not None else None,
        old_last_at_ms=old.at_ms if old is not None else None,
        is_behind=behind,
    )
    return done, state


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


def _end_of(directory: Path) -> _End | None:
    """The end of a ledger; None when it cannot be read."""
    files = numbered_files(directory, "events")
    if not files:
        return None
    whole = dropped(directory) is None
    with suppress(sqlite3.Error), closing(SegmentReader(files[-1][1])) as segment:
        seq, at_ms = segment.ends()[1]
        mark = segment.mark(seq)
        assert mark is not None
        head = Head(Seq(seq), mark[1])
        with suppress(ValueError):
            return _End(head, at_ms, sure=whole and read_head(directory) == head)
        return _End(head, at_ms, sure=False)
    return None


def _epoch_after(source: Path, directory: Path, old: _End | None) -> int:
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


async def _own_once(
    work: Path, copied: Copied, behind: bool, now_ms: Callable[[], int], version: str, pid: int
) -> FleetState:
    """Open the copy as an engine before it is put in place: this proves that an engine can, and
    freezes the fleet when the ledger may lack events."""
    writer = await JournalWriter.open(work, now_ms, version, pid)
    try:
        was = writer.state.engine.mode.mode
        if behind and was is not EngineMode.FROZEN:
            reason = f"restored from a backup that ends at event {copied.last_seq}"
            hold = EngineModeChanged(mode=EngineMode.FROZEN, was=was, reason=reason)
            await writer.append([hold], now_ms())
    finally:
        await writer.close("restored from a backup")
    if writer.failure is not None:
        raise writer.failure
    return writer.state


def _exchange(directory: Path, aside: Path, work: Path) -> None:
    """Put ``work`` in the place of ``directory``. While there is no ledger, the copy next to it
    keeps every engine from creating an empty one."""
    moved = False
    try:
        os.rename(directory, aside)
        moved = True
        os.rename(work, directory)
    except OSError:
        if moved:
            os.rename(aside, directory)
        shutil.rmtree(work)
        raise
    sync_directory(directory.parent)


def _forget(aside: Path) -> bool:
    """Remove an old directory that never held a journal."""
    with suppress(OSError):
        shutil.rmtree(aside)
        return True
    return False
