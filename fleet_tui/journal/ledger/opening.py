"""Takes over a ledger: verifies it before anything is added to it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.ledger.events import Recorded, SegmentOpened
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.modes import TROUBLES
from fleet_tui.journal.directory import (
    EngineLock,
    Home,
    holder_now,
    sync_directory,
    unfinished_copy,
)
from fleet_tui.journal.errors import JournalDamaged, JournalFailed, JournalInUse, RestoreUnfinished
from fleet_tui.journal.ledger.chain import START, ChainRow, Head, link, read_head, write_head
from fleet_tui.journal.ledger.codec import decode, encode
from fleet_tui.journal.ledger.migrations import migrate
from fleet_tui.journal.ledger.segments import (
    LOCK_WAIT_S,
    EventRow,
    SegmentInfo,
    SegmentReader,
    create_segment,
    numbered_files,
    segment_path,
)
from fleet_tui.journal.ledger.snapshots import newest_snapshot
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.ledger.troubles import is_damage, trouble_of, unreadable
from fleet_tui.journal.ledger.verifying import PAGE_EVENTS, Checker
from fleet_tui.journal.ledger.wal import dropped
from fleet_tui.journal.upkeep import ballast

NO_EPOCH = Epoch(0)
"""The epoch of a ledger that no engine has owned yet."""


class Taken(NamedTuple):
    """A ledger that we own and that was verified as intact."""

    lock: EngineLock
    path: Path
    """The segment to write to."""
    epoch: Epoch
    head: Head
    state: FleetState
    rows: int
    """Rows in the segment."""
    bytes: int
    """Bytes of their bodies, without its opening state."""
    full: bool = False
    """There was no space for the ballast."""


class _Checked(NamedTuple):
    path: Path
    info: SegmentInfo
    head: Head
    state: FleetState
    rows: int
    bytes: int


def take(home: Home, now_ms: Callable[[], int], pid: int) -> Taken:
    """Lock and verify the ledger in a directory, creating one if there never was one. Blocks;
    changes nothing on error.

    Raises UnsafeDirectory, JournalInUse, JournalDamaged, RestoreUnfinished, JournalTooNew and
    StateGone; JournalFailed, sqlite3.Error and OSError for refusals of the system, which do not
    prove damage.
    """
    home.enter()
    lock = EngineLock(home.directory, holder_now(pid, now_ms))
    try:
        return _take_or_make_room(home, now_ms, lock)
    except BaseException:  # release the lock
        lock.release()
        raise


def _take_or_make_room(home: Home, now_ms: Callable[[], int], lock: EngineLock) -> Taken:
    """An engine that starts on a full disk releases the ballast: it can still monitor."""
    try:
        full = not ballast.make(home.directory)
        return _take(home, now_ms, lock)._replace(full=full)
    except (sqlite3.Error, OSError, JournalFailed) as error:
        if isinstance(error, JournalFailed):
            trouble = error.trouble
        else:
            trouble = trouble_of(error, home.directory)
        if not TROUBLES[trouble].lacks_room or not ballast.release(home.directory):
            raise
    return _take(home, now_ms, lock)._replace(full=True)


def _take(home: Home, now_ms: Callable[[], int], lock: EngineLock) -> Taken:
    directory = home.directory
    home.expect_ledger(found=bool(numbered_files(directory, "events")))
    for leftover in directory.glob(".*.new*"):
        leftover.unlink(missing_ok=True)
    _check_logs(directory)
    _take_back_unfinished(directory)
    try:
        migrate(directory)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        # Damage is reported below, with its range.
    if not numbered_files(directory, "events"):
        with suppress(ValueError):
            remembered = read_head(directory)
            if remembered is not None:
                reason = "its files are gone but its head is there"
                raise JournalDamaged(directory, reason, 1, remembered.seq)
        if (copy := unfinished_copy(directory)).exists():  # an empty ledger would forget it all
            raise RestoreUnfinished(directory, copy)
        open_segment(directory, START, EMPTY_STATE, now_ms(), NO_EPOCH)
    checked = _check_last(directory)
    _check_order(directory, checked.head.seq)
    if checked.info.sealed:  # an engine died between two segments
        head, state = checked.head, checked.state
        open_segment(directory, head, state, state.at_ms, Epoch(checked.info.epoch))
        checked = _check_last(directory)
    home.expect_ledger(found=True)
    epoch = Epoch(checked.info.epoch + 1)
    _raise_epoch(directory, checked, epoch)
    write_head(directory, checked.head)
    return Taken(
        lock, checked.path, epoch, checked.head, checked.state, checked.rows, checked.bytes
    )


def _check_logs(directory: Path) -> None:
    """Check the logs before SQLite reads them and drops everything after a bad frame. Raises
    JournalDamaged."""
    lost = dropped(directory)
    if lost is None:
        return
    last = int(lost.segment.stem.removeprefix("events-")) - 1
    with suppress(sqlite3.Error), closing(SegmentReader(lost.segment)) as segment:
        last = segment.ends()[1][0]
    raise JournalDamaged(directory, lost.reason, last + 1, last + lost.transactions)


def _take_back_unfinished(directory: Path) -> None:
    """Let SQLite roll back a change during which an engine was killed; readers cannot do that. Only
    changes of the journal mode need it: everything else goes through the WAL."""
    for left in directory.glob("events-*.db-journal"):
        path = str(left).removesuffix("-journal")
        try:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):  # reading the segment finds damage
                raise


def open_segment(
    directory: Path, previous: Head, state: FleetState, at_ms: int, epoch: Epoch
) -> tuple[Path, Head, Recorded]:
    """Begin the next segment with the current state; one that we already began, before the system
    refused something, is reused. Raises FileExistsError, sqlite3.Error and OSError."""
    event = SegmentOpened(state=state)
    row, head = chained(previous, at_ms, epoch, event)
    path = segment_path(directory, head.seq)
    try:
        create_segment(directory, previous, [row], epoch)
    except FileExistsError:
        if not _begins_with(path, head):
            raise
        sync_directory(directory)
    return path, head, Recorded(head.seq, at_ms, epoch, event)


def _begins_with(path: Path, head: Head) -> bool:
    """Whether a segment's first event is this one. Its hash covers the epoch, so no other engine
    made it."""
    if not path.exists():
        return False
    with closing(SegmentReader(path)) as segment:
        return _mark(segment, head.seq) == head.hash


def chained(
    previous: Head, at_ms: int, epoch: Epoch, event: SegmentOpened
) -> tuple[EventRow, Head]:
    """The row for an event after ``previous``, and the head after it."""
    kind, v, body, task = encode(event)
    seq = previous.seq + 1
    digest = link(previous.hash, seq, at_ms, epoch, kind, v, body)
    return (seq, at_ms, epoch, kind, v, body, digest, task), Head(Seq(seq), digest)


def _check_last(directory: Path) -> _Checked:
    """Verify and fold the newest segment, and compare it with the head file."""
    path = numbered_files(directory, "events")[-1][1]
    try:
        with closing(SegmentReader(path)) as segment:
            info = segment.info()
            before = Head(Seq(info.first_seq - 1), info.previous_hash)
            checker = Checker(before)
            rows = checker.follow(segment.all_rows(before.seq, PAGE_EVENTS))
            known = newest_snapshot(
                directory, info.first_seq, segment.ends()[1][0], lambda seq: _mark(segment, seq)
            )
            state = _fold_all(directory, known or EMPTY_STATE, rows)
            if checker.bad_seq is not None:
                last = segment.ends()[1][0]
                reason = f"the chain of hashes breaks in {path.name}"
                raise JournalDamaged(directory, reason, checker.bad_seq, last)
            problem = segment.problem(thorough=False)
            if problem:
                reason = f"{path.name} is damaged: {problem}"
                raise JournalDamaged(directory, reason, info.first_seq, checker.head.seq)
    except sqlite3.DatabaseError as error:
        first = numbered_files(directory, "events")[-1][0]
        raise unreadable(error, path, first, first) from error
    _check_head(directory, checker.head)
    return _Checked(path, info, checker.head, state, checker.events, checker.bytes)


def _check_order(directory: Path, last: Seq) -> None:
    """Check that every segment exists and continues the one before it. The rows of the older ones
    are not read here, but later in the background. Raises JournalDamaged, up to ``last``."""
    files = numbered_files(directory, "events")
    expected = START
    for first_seq, path in files:
        try:
            with closing(SegmentReader(path)) as segment:
                info = segment.info()
                end = segment.ends()[1][0]
                found = _mark(segment, end)
        except sqlite3.DatabaseError as error:
            raise unreadable(error, path, first_seq, last) from error
        begins = Head(Seq(info.first_seq - 1), info.previous_hash)
        if begins != expected or info.first_seq != first_seq:
            reason = f"{path.name} does not continue the segment before it"
            raise JournalDamaged(directory, reason, expected.seq + 1, last)
        assert found is not None
        expected = Head(Seq(end), found)


def _fold_all(directory: Path, state: FleetState, rows: Iterator[ChainRow]) -> FleetState:
    """Fold the rows that are not in the state yet; every row is read and so verified."""
    while page := list(islice(rows, PAGE_EVENTS)):
        state = fold(state, [_understood(directory, row) for row in page if row.seq > state.seq])
    return state


def _mark(segment: SegmentReader, seq: int) -> bytes | None:
    found = segment.mark(seq)
    return None if found is None else found[1]


def _understood(directory: Path, row: ChainRow) -> Recorded:
    """The event; unlike a console, an engine must not work with unreadable events."""
    try:
        event = decode(row.kind, row.v, row.body)
    except ValueError as error:
        reason = f"event {row.seq} ({row.kind}) cannot be understood: {error}"
        raise JournalDamaged(directory, reason, row.seq, row.seq) from error
    return Recorded(Seq(row.seq), row.at_ms, Epoch(row.epoch), event)


def _check_head(directory: Path, last: Head) -> None:
    try:
        remembered = read_head(directory)
    except ValueError as error:
        raise JournalDamaged(directory, "its head file is not readable", 1, last.seq) from error
    if remembered is None:
        if last.seq > 1:  # the head is written right after the first event
            raise JournalDamaged(directory, "its head file is missing", 1, last.seq)
        return
    if remembered.seq > last.seq:
        reason = f"it ends at event {last.seq}, but {remembered.seq} events were written"
        raise JournalDamaged(directory, reason, last.seq + 1, remembered.seq)
    found = _hash_at(directory, remembered.seq)
    if found != remembered.hash:
        reason = f"event {remembered.seq} is not the one that its head file remembers"
        raise JournalDamaged(directory, reason, remembered.seq, last.seq)


def _hash_at(directory: Path, seq: int) -> bytes | None:
    for first_seq, path in reversed(numbered_files(directory, "events")):
        if first_seq <= seq:
            with closing(SegmentReader(path)) as segment:
                return _mark(segment, seq)
    return None


def _raise_epoch(directory: Path, checked: _Checked, epoch: Epoch) -> None:
    connection = sqlite3.connect(checked.path, timeout=LOCK_WAIT_S, isolation_level=None)
    with closing(connection):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        cursor = connection.execute(
            query("segment_take"), {"epoch": epoch, "last_seq": checked.head.seq}
        )
        if cursor.rowcount != 1:
            raise JournalInUse(directory, None, "somebody wrote to it while it was being opened")
