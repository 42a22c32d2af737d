"""Reads the ledger: any position, any moment, and verifies it.

Readers use their own read-only connections and short transactions, so they never hold up the
writer's checkpoints. A reader may be called from any thread, one call at a time.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Lock

import msgspec

from fleet_tui.core.engine.events import EngineStarted
from fleet_tui.core.ids import NOWHERE, Seq, TaskId, task_number
from fleet_tui.core.ledger.events import Recorded, SegmentOpened
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.events import TaskSubmitted
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.retell import Retelling
from fleet_tui.journal.directory import check
from fleet_tui.journal.errors import JournalMissing
from fleet_tui.journal.ledger.chain import ChainRow, read_head
from fleet_tui.journal.ledger.segments import (
    MAX_TASK_EVENTS,
    SegmentReader,
    Submission,
    numbered_files,
    recorded,
)
from fleet_tui.journal.ledger.snapshots import newest_snapshot
from fleet_tui.journal.ledger.troubles import unreadable
from fleet_tui.journal.ledger.verifying import PAGE_EVENTS

MAX_OPEN_SEGMENTS = 4
MAX_SESSIONS = 1_000
MAX_ID_CHARS = 200
"""Longer texts are not searched as a task's id."""


class SessionSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the ledger between an engine's start and its end."""

    epoch: int
    version: str
    first_seq: Seq
    started_at_ms: int
    ended_at_ms: int | None
    """None while its engine runs; the last event's instant if it was killed."""
    events: int
    tasks: int


class JournalReader:
    """A ledger in a directory, read-only."""

    def __init__(self, directory: Path, *, until: Seq | None = None) -> None:
        """``until`` is the last event that can be trusted, in a damaged journal: nothing later is
        read. Raises JournalMissing and UnsafeDirectory."""
        check(directory)
        self.directory = directory
        self._until = until
        self._open: dict[Path, SegmentReader] = {}
        self._looked_at = directory
        """The file that was read last."""
        self._lock = Lock()
        self._files()

    def close(self) -> None:
        """Close the files."""
        with self._reading():
            for segment in self._open.values():
                segment.close()
            self._open.clear()

    def last_seq(self) -> Seq:
        """The newest event's position."""
        with self._reading():
            return self._end()[0]

    def span(self) -> tuple[int, int]:
        """Instants of the first and of the last stored event."""
        with self._reading():
            (_, oldest) = self._files()[0]
            return self._segment(oldest).ends()[0][1], self._end()[1]

    def read(self, after: Seq, limit: int) -> list[Recorded]:
        """The next events after a position, oldest first; empty when there are none yet. Fewer than
        ``limit`` where they are large."""
        with self._reading():
            return self._events(after, limit)

    def newest(self, limit: int, until: Seq | None = None) -> list[Recorded]:
        """The newest events up to a position, by default up to the end, oldest first: ``limit`` of
        them, or all where there are fewer, however large they are."""
        with self._reading():
            last = self._end()[0] if until is None else min(until, self._end()[0])
            found: list[Recorded] = []
            after = max(last - limit, self._first() - 1)
            while after < last and (page := self._events(after, last - after)):
                found += page
                after = page[-1].seq
            return found

    def rows(self, after: Seq, limit: int) -> list[ChainRow]:
        """Like :meth:`read`, as stored."""
        with self._reading():
            return list(islice(self._rows(after, min(limit, PAGE_EVENTS)), limit))

    def load(self, *, until_seq: Seq | None = None, until_ms: int | None = None) -> FleetState:
        """The state after the last event that is within both limits; None means no limit."""
        with self._reading():
            last, _ = self._end()
            if until_seq is not None:
                last = min(last, until_seq)
            if until_ms is not None:
                last = min(last, self._last_before(until_ms))
            files = self._files()
            if not files or last < files[0][0]:
                return EMPTY_STATE
            state = self._nearest(last)
            while state.seq < last:
                events = self._events(state.seq, min(PAGE_EVENTS, last - state.seq))
                assert events, (state.seq, last)
                state = fold(state, events)
            return state

    def seq_at(self, at_ms: int) -> Seq:
        """The last event that was committed at or before an instant; NOWHERE when none was."""
        with self._reading():
            return self._last_before(at_ms)

    def task_events(self, task: TaskId) -> list[Recorded]:
        """The story of one task, oldest first; of each segment at most MAX_TASK_EVENTS."""
        story: list[Recorded] = []
        with self._reading():
            for _, path in self._files():
                after, left = 0, MAX_TASK_EVENTS
                while left > 0 and (rows := self._segment(path).task_rows(task, after)):
                    after, left = rows[-1].seq, left - len(rows)
                    story += [recorded(row) for row in rows]
        return [r for r in story if self._until is None or r.seq <= self._until]

    def retell(self, text: str, *, until: Seq | None = None) -> Retelling | None:
        """The task meant by ``t-42``, ``42`` or its id, from the ledger up to a position; None when
        it holds none. It does not matter how long ago the task ended: its events are found by an
        index, and its number by binary search."""
        with self._reading():
            last = self._end()[0] if until is None else min(until, self._end()[0])
            number = task_number(text)
            if number is None:
                task = TaskId(text) if _may_be_id(text) else None
            elif (task := self._submitted_as(number, last)) is None:
                before = self._opening().find_task(text)
                task = before.id if before is not None else None
            return self._retold([task], last).get(task) if task is not None else None

    def find_task(self, text: str, *, until: Seq | None = None) -> Task | None:
        """That task as it stood at the position."""
        told = self.retell(text, until=until)
        return None if told is None else told.task

    def find_tasks(self, tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
        """Those of them that the ledger holds, as of now. Each file is opened once."""
        with self._reading():
            told = self._retold(tasks, self._end()[0])
            return {task: story.task for task, story in told.items() if story.task is not None}

    def sessions(self) -> list[SessionSpan]:
        """The stretches between engines' starts and ends, oldest first."""
        with self._reading():
            marks = [row for _, path in self._files() for row in self._segment(path).engine_rows()]
            last_seq, last_at_ms = self._end()
            starts = [row for row in marks if row.kind == "engine.started"][-MAX_SESSIONS:]
            ends = {row.epoch: row.at_ms for row in marks if row.kind == "engine.stopped"}
            found = []
            for place, row in enumerate(starts):
                following = starts[place + 1].seq if place + 1 < len(starts) else last_seq + 1
                ended = ends.get(row.epoch)
                if ended is None and place + 1 < len(starts):
                    before = self._mark(following - 1)
                    ended = before[0] if before else last_at_ms
                found.append(self._session(row, following, ended))
            return found

    # Inside: called with the lock held.

    def _retold(self, tasks: Sequence[TaskId], last: Seq) -> dict[TaskId, Retelling]:
        """The retelling of each of them that the ledger holds."""
        told: dict[TaskId, Retelling] = {}
        for path in [path for first, path in self._files() if first <= last]:
            segment = self._segment(path)
            for task in tasks:
                after = 0
                while rows := segment.task_rows(task, after):
                    after = rows[-1].seq
                    story = [recorded(row) for row in rows if row.seq <= last]
                    if task not in told:
                        is_whole = bool(story) and isinstance(story[0].event, TaskSubmitted)
                        before = None if is_whole else self._opening().task(task)
                        told[task] = Retelling(task, before)
                    told[task].add(story)
        if told.keys() < set(tasks):  # a recording may begin after the end of some
            opening = self._opening()
            for task in tasks:
                if task not in told and (before := opening.task(task)) is not None:
                    told[task] = Retelling(task, before)
        return {task: story for task, story in told.items() if story.task is not None}

    def _opening(self) -> FleetState:
        """The state at the beginning: empty, or for a recording the state before it."""
        files = self._files()
        if not files:
            return EMPTY_STATE
        (first,) = self._segment(files[0][1]).events(0, 1)
        event = first.event
        return event.state if isinstance(event, SegmentOpened) else EMPTY_STATE

    def _submitted_as(self, number: int, last: Seq) -> TaskId | None:
        """Found by binary search, because numbers rise with positions."""
        files = self._files()
        low, high = self._first(), last + 1
        while low < high:
            middle = (low + high) // 2
            found = self._submission_from(files, middle, high)
            if found is not None and found.number == number:
                return TaskId(found.task)
            if found is not None and found.number < number:
                low = found.seq + 1
            else:
                high = middle
        return None

    def _submission_from(
        self, files: list[tuple[int, Path]], first: int, end: int
    ) -> Submission | None:
        place = max(bisect_right([start for start, _ in files], first) - 1, 0)
        for start, path in files[place:]:
            if start >= end:
                break
            found = self._segment(path).submission_from(first, end)
            if found is not None:
                return found
        return None

    def _session(self, row: ChainRow, end: int, ended_at_ms: int | None) -> SessionSpan:
        files = self._files()
        firsts = [first for first, _ in files]
        its = files[max(bisect_right(firsts, row.seq) - 1, 0) : bisect_left(firsts, end)]
        tasks = sum(self._segment(path).tasks_between(row.seq, end) for _, path in its)
        event = recorded(row).event
        return SessionSpan(
            epoch=row.epoch,
            version=event.version if isinstance(event, EngineStarted) else "",
            first_seq=Seq(row.seq),
            started_at_ms=row.at_ms,
            ended_at_ms=ended_at_ms,
            events=end - row.seq,
            tasks=tasks,
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """One call at a time; translates SQLite's errors. Raises JournalDamaged where the file
        differs from what was written, JournalFailed where the system refused."""
        with self._lock:
            try:
                yield
            except sqlite3.DatabaseError as error:
                first, last = self._lost_with(self._looked_at)
                raise unreadable(error, self._looked_at, first, last) from error

    def _lost_with(self, segment: Path) -> tuple[int, int]:
        """The events that cannot be trusted without a segment: those from its first one on, as far
        as the files and the head file show. Only numbers are read."""
        files = numbered_files(self.directory, "events")
        first = next((first for first, path in files if path == segment), 1)
        last = max((first for first, _ in files), default=first)
        with suppress(ValueError, OSError):
            remembered = read_head(self.directory)
            last = max(last, remembered.seq if remembered is not None else last)
        return first, last

    def _files(self) -> list[tuple[int, Path]]:
        files = numbered_files(self.directory, "events")
        if self._until is None:
            if not files:
                raise JournalMissing(f"there is no journal in {self.directory}")
            return files
        return [(first, path) for first, path in files if first <= self._until]

    def _first(self) -> int:
        """The first stored position: a recording may begin anywhere."""
        files = self._files()
        return files[0][0] if files else 1

    def _end(self) -> tuple[Seq, int]:
        """Position and instant of the newest event; NOWHERE when none can be trusted."""
        files = self._files()
        if not files:
            return NOWHERE, 0
        newest = self._segment(files[-1][1])
        if self._until is None:
            seq, at_ms = newest.ends()[1]
            return Seq(seq), at_ms
        found = newest.mark(self._until)
        return (NOWHERE, 0) if found is None else (self._until, found[0])

    def _segment(self, path: Path) -> SegmentReader:
        self._looked_at = path
        segment = self._open.pop(path, None)
        if segment is not None and not segment.is_current():
            segment.close()
            segment = None
        if segment is None:
            segment = SegmentReader(path)
        self._open[path] = segment
        while len(self._open) > MAX_OPEN_SEGMENTS:
            self._open.pop(next(iter(self._open))).close()
        return segment

    def _rows(self, after: int, page: int) -> Iterator[ChainRow]:
        files = self._files()
        place = max(bisect_right([first for first, _ in files], after + 1) - 1, 0)
        for _, path in files[place:]:
            yield from self._segment(path).all_rows(after, page)

    def _events(self, after: int, limit: int) -> list[Recorded]:
        files = self._files()
        if self._until is not None:
            limit = min(limit, self._until - after)
        place = max(bisect_right([first for first, _ in files], after + 1) - 1, 0)
        found: list[Recorded] = []
        for _, path in files[place:]:
            segment = self._segment(path)
            while len(found) < limit:
                wanted = min(limit - len(found), PAGE_EVENTS)
                page = segment.events(after, wanted)
                if not page:
                    break
                found += page
                after = page[-1].seq
                if len(page) < wanted and after < segment.ends()[1][0]:
                    return found  # a page of large events ends early
        return found

    def _mark(self, seq: int) -> tuple[int, bytes] | None:
        files = self._files()
        place = bisect_right([first for first, _ in files], seq) - 1
        return None if place < 0 else self._segment(files[place][1]).mark(seq)

    def _hash_at(self, seq: int) -> bytes | None:
        found = self._mark(seq)
        return None if found is None else found[1]

    def _last_before(self, at_ms: int) -> Seq:
        """Found by binary search: instants never run backwards and positions have no gaps."""
        files = self._files()
        low, high = files[0][0] - 1, int(self._end()[0])
        while low < high:
            middle = (low + high + 1) // 2
            found = self._mark(middle)
            if found is not None and found[0] <= at_ms:
                low = middle
            else:
                high = middle - 1
        return Seq(low) if low >= files[0][0] else NOWHERE

    def _nearest(self, last: Seq) -> FleetState:
        files = self._files()
        firsts = [first for first, _ in files]
        place = max(bisect_right(firsts, last) - 1, 0)
        state = newest_snapshot(self.directory, firsts[place], last, self._hash_at)
        if state is not None:
            return state
        return msgspec.structs.replace(EMPTY_STATE, seq=Seq(firsts[place] - 1))


def _may_be_id(text: str) -> bool:
    return 0 < len(text) <= MAX_ID_CHARS and text.isascii()
