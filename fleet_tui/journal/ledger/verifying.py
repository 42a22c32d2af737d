"""Verifies a ledger: every row of every segment, the files themselves, and the head file. If it is
damaged, determines the range that cannot be trusted."""

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from fleet_tui.core.ids import NOWHERE, Seq
from fleet_tui.core.ledger.events import SegmentOpened, UnknownEvent, task_of
from fleet_tui.journal.directory import lock_holder
from fleet_tui.journal.errors import JournalMissing
from fleet_tui.journal.ledger.chain import START, ChainRow, Head, is_next, read_head
from fleet_tui.journal.ledger.codec import decode_leniently
from fleet_tui.journal.ledger.segments import SegmentReader, numbered_files
from fleet_tui.journal.ledger.troubles import failure, is_damage
from fleet_tui.journal.ledger.wal import Dropped, dropped

PAGE_EVENTS = 5_000
"""Rows per transaction: a few milliseconds, so that a reader cannot block a checkpoint for long."""
STEP_EVENTS = 500
"""Rows that are checked in one step: a few milliseconds too."""


_OPENED = SegmentOpened.__struct_config__.tag
"""The kind of a segment's first event, which has no task."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The result of verifying a ledger."""

    intact: bool
    events: int
    """Events that were checked and are intact."""
    last_seq: Seq
    """The newest of them."""
    first_bad_seq: Seq | None = None
    """From here on nothing can be trusted."""
    last_bad_seq: Seq | None = None
    """Up to here, as far as the files or the head file show."""
    reason: str = ""

    @property
    def bad_range(self) -> str:
        """``40`` or ``40 to 57``; empty for an intact ledger."""
        first, last = self.first_bad_seq, self.last_bad_seq
        if first is None or last is None:
            return ""
        return f"{first} to {last}" if last > first else str(first)


class Checker:
    """Follows the chain row by row; remembers the first damaged row."""

    def __init__(self, start: Head) -> None:
        """``start`` is the position before the first row that will be passed."""
        self.head = start
        self.events = 0
        self.bytes = 0
        """Of the bodies of these events, except the first one, which is a segment's state."""
        self.bad_seq: int | None = None
        self._epoch = 0

    def follow(self, rows: Iterable[ChainRow]) -> Iterator[ChainRow]:
        """The rows up to the first bad one, which ends the walk. An engine whose epoch is over
        cannot write, so epochs only rise."""
        for row in rows:
            if not is_next(self.head, row) or row.epoch < self._epoch:
                self.bad_seq = min(row.seq, self.head.seq + 1)
                return
            self.head = Head(Seq(row.seq), row.hash)
            self._epoch = row.epoch
            self.bytes += len(row.body) if self.events else 0
            self.events += 1
            yield row


class _Bad(Exception):
    """From ``seq`` on the ledger is damaged."""

    def __init__(self, seq: int, reason: str) -> None:
        self.seq = seq
        self.reason = reason
        super().__init__(reason)


def verify(directory: Path) -> Verification:
    """Check a whole journal directory; may run beside an engine.

    Raises JournalMissing, JournalTooNew, and JournalFailed or OSError when the system refuses to
    read it; damage is in the result.
    """
    steps = verify_in_steps(directory)
    while (checked := next_step(steps)) is None:
        pass
    return checked


Steps = Generator[None, None, Verification]


def next_step(steps: Steps) -> Verification | None:
    """Take a step of a long check; returns the result after the last one. Raises as
    :func:`verify`."""
    try:
        next(steps)
    except StopIteration as ended:
        checked: Verification = ended.value
        return checked
    return None


def verify_in_steps(directory: Path) -> Steps:
    """:func:`verify` for callers with other work in between. A step takes a few milliseconds,
    except SQLite's own check of a file, which blocks no other thread."""
    try:
        remembered = read_head(directory)
    except ValueError:
        remembered, unreadable = None, True
    else:
        unreadable = False
    files = numbered_files(directory, "events")  # read after the head: its events are in them
    if not files:
        if remembered is None and not unreadable:
            raise JournalMissing(f"there is no journal in {directory}")
        last = remembered.seq if remembered is not None else NOWHERE
        return _bad(START, 0, 1, max(last, 1), "its files are gone but its head is there")
    if remembered is not None and files[0][0] > 1:  # a recording may begin anywhere; it has no head
        return _bad(START, 0, 1, files[0][0] - 1, "its oldest segments are gone")
    checker = Checker(START)
    lost = dropped_unless_in_use(directory)
    try:
        for place, (first_seq, path) in enumerate(files):
            if place == 0:
                checker = Checker(_beginning(first_seq, path))
            yield from _check_segment(checker, first_seq, path, remembered)
        if lost is not None:
            raise _Bad(checker.head.seq + 1, lost.reason)
        if unreadable:
            raise _Bad(1, "the head file is not readable")
        if remembered is None:
            if checker.head.seq > 1:  # the head is written right after the first event
                raise _Bad(1, "its head file is missing")
        else:
            _check_end(checker.head, remembered, files[0][0])
    except _Bad as bad:
        written = _last_of(files) + (lost.transactions if lost is not None else 0)
        known = (bad.seq, checker.head.seq, remembered.seq if remembered else 0, written)
        return _bad(checker.head, checker.events, bad.seq, max(known), bad.reason)
    return Verification(intact=True, events=checker.events, last_seq=checker.head.seq)


def dropped_unless_in_use(directory: Path) -> Dropped | None:
    """The events that damaged logs lost. Skipped beside a running engine, which checked them at its
    start and writes to them."""
    if lock_holder(directory) is not None:
        return None
    lost = dropped(directory)
    return lost if lost is not None and lock_holder(directory) is None else None


def _beginning(first_seq: int, path: Path) -> Head:
    try:
        with closing(SegmentReader(path)) as segment:
            info = segment.info()
    except sqlite3.Error as error:
        raise _unreadable(error, path, first_seq) from error
    return Head(Seq(first_seq - 1), info.previous_hash)


def _check_segment(
    checker: Checker, first_seq: int, path: Path, remembered: Head | None
) -> Generator[None]:
    """Follow the chain through one segment, then check the file. Raises _Bad."""
    try:
        with closing(SegmentReader(path)) as segment:
            info = segment.info()
            before = Head(Seq(info.first_seq - 1), info.previous_hash)
            if checker.head != before or info.first_seq != first_seq:
                reason = f"{path.name} does not continue the segment before it"
                raise _Bad(checker.head.seq + 1, reason)
            for row in checker.follow(_filed_rows(segment, before.seq)):
                if (
                    remembered is not None
                    and row.seq == remembered.seq
                    and row.hash != remembered.hash
                ):
                    raise _Bad(row.seq, "the head file remembers another event here")
                if checker.events % STEP_EVENTS == 0:
                    yield
            if checker.bad_seq is not None:
                raise _Bad(checker.bad_seq, f"the chain of hashes breaks in {path.name}")
            yield
            problem = segment.problem(thorough=True)
            if problem:
                raise _Bad(first_seq, f"{path.name} is damaged: {problem}")
    except sqlite3.Error as error:
        raise _unreadable(error, path, checker.head.seq + 1) from error


def _unreadable(error: sqlite3.Error, path: Path, seq: int) -> Exception:
    """A file that could not be opened is not a damaged file, and is not reported as such."""
    if is_damage(error):
        return _Bad(seq, f"{path.name} cannot be read ({error})")
    return failure(error, path.parent, f"{path} cannot be read")


def _filed_rows(segment: SegmentReader, after: int) -> Iterator[ChainRow]:
    """The rows. The task under which a row is indexed is not part of its hash, so it is checked
    here."""
    for row, task in segment.filed_rows(after, PAGE_EVENTS):
        if row.kind == _OPENED and task is None:
            yield row  # the whole state: the one event that takes long to decode
            continue
        event = decode_leniently(row.kind, row.v, row.body)
        if not isinstance(event, UnknownEvent) and task_of(event) != task:
            raise _Bad(row.seq, f"event {row.seq} is filed under another task")
        yield row


def _check_end(last: Head, remembered: Head, first_seq: int) -> None:
    if remembered.seq > last.seq:
        reason = f"it ends at event {last.seq}, but {remembered.seq} events were written"
        raise _Bad(last.seq + 1, reason)
    if remembered.seq < first_seq - 1:
        raise _Bad(first_seq, "its head file is older than its oldest segment")


def _last_of(files: list[tuple[int, Path]]) -> int:
    """The last event in the files, as far as they can be read."""
    for first_seq, path in reversed(files):
        with suppress(sqlite3.Error), closing(SegmentReader(path)) as segment:
            return max(segment.ends()[1][0], first_seq)
    return files[-1][0]


def _bad(head: Head, events: int, first: int, last: int, reason: str) -> Verification:
    return Verification(
        intact=False,
        events=events,
        last_seq=head.seq,
        first_bad_seq=Seq(first),
        last_bad_seq=Seq(last),
        reason=reason,
    )
