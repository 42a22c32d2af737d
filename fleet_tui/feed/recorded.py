"""Playing a ledger back: the same feed, with a cursor in time and without commands.

There is no connection to an engine here, nor any code that could make one. Playing forward folds
the events between two instants; going back starts from the nearest snapshot.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from fleet_tui.core.agents.vitals import FleetSample, ProbeResult
from fleet_tui.core.diff import Moments
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.core.plans import Impact
from fleet_tui.core.tasks.retell import Retelling
from fleet_tui.feed.feed import Link, Mode, View
from fleet_tui.feed.marks import Mark, mark_of
from fleet_tui.feed.pulse import Pulse
from fleet_tui.feed.stores import Stores
from fleet_tui.feed.untaken import Untaken
from fleet_tui.journal.errors import JournalError, JournalMissing
from fleet_tui.journal.recordings.in_use import UNREADABLE, DirectoryInUse

T = TypeVar("T")

FRAME_S = 0.1
"""While playing, time advances this often."""
SPEEDS = (0.25, 256.0)
PAGE_EVENTS = 2_000
PAGE_LINES = 2_000
FIRST_LINES = 500
MAX_MARKS = 400


class RecordedFeed:
    """A feed and timeline of a ledger that is not being written, or is read as of its opening."""

    def __init__(
        self, directory: Path, *, since_ms: int | None = None, until_ms: int | None = None
    ) -> None:
        """``since_ms`` and ``until_ms`` narrow what is played, for one session of many."""
        self._directory = directory
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._stores: Stores | None = None
        self._start_ms = 0
        self._end_ms = 0
        self._at_ms = 0
        self._state: FleetState = EMPTY_STATE
        self._probes: dict[AgentName, ProbeResult] = {}
        self._pulse = Pulse()
        self._untaken = Untaken(PAGE_LINES)
        self._line_mark = 0
        self._marks: list[tuple[int, Mark]] = []
        self._marked_seqs: list[Seq] = []
        self._playing = False
        self._speed = 1.0
        self._moved = asyncio.Event()
        self._closed = False
        self._player: asyncio.Task[None] | None = None
        self._view: View | None = None
        self._in_use: DirectoryInUse | None = None
        self._lost: JournalError | None = None
        """Why nothing can be read now."""
        self._is_told = False

    @property
    def can_act(self) -> bool:
        """A recording cannot act."""
        return False

    async def open(self) -> None:
        """Read the recording's extent and go to its end. Raises FleetError."""
        try:
            self._stores = await asyncio.to_thread(Stores, self._directory)
            self._in_use = DirectoryInUse(self._directory)
            self._start_ms, self._end_ms = self._stores.ledger.span()
            if self._since_ms is not None:
                self._start_ms = max(self._start_ms, self._since_ms)
            if self._until_ms is not None:
                self._end_ms = min(self._end_ms, self._until_ms)
            await asyncio.to_thread(self._find_marks)
            await self.seek(self._end_ms)
        except BaseException:  # close what was opened
            await self.close()
            raise
        self._player = asyncio.create_task(self._play(), name="player")

    def view(self) -> View:
        """The fleet at the cursor."""
        if self._view is None:
            self._view = View(
                state=self._state,
                probes=self._probes,
                samples=self._pulse.samples,
                now_ms=self._at_ms,
                mode=Mode.REVIEW,
                link=Link.NONE,
            )
        return self._view

    def take_lines(self) -> Sequence[LogLine | LogGap]:
        """Lines since the last call; after a jump, the newest ones before the cursor."""
        return self._untaken.take()

    async def changed(self) -> None:
        """Return when the cursor has moved. Raises JournalError, once, when the files are gone or
        are not those that were opened: what is shown then stays as it is."""
        if self._closed:
            raise asyncio.CancelledError
        await self._moved.wait()
        self._moved.clear()
        if self._lost is not None and not self._is_told:
            self._is_told = True
            raise self._lost

    async def logs(self, query: LogQuery) -> Sequence[LogLine]:
        """Stored lines up to the cursor."""
        nothing: Sequence[LogLine] = ()
        return await self._aside(lambda stores: stores.find_lines(query, self._at_ms), nothing)

    async def series(self, agent: AgentName, limit: int) -> Sequence[ProbeResult]:
        """The newest probes of an agent up to the cursor."""
        nothing: Sequence[ProbeResult] = ()
        return await self._aside(
            lambda stores: stores.samples.agent_series(agent, self._at_ms, limit), nothing
        )

    async def history(self, limit: int, until: Seq | None = None) -> Sequence[e.Recorded]:
        """The newest events up to the cursor."""
        nothing: Sequence[e.Recorded] = ()
        last = self._state.seq if until is None else min(until, self._state.seq)
        return await self._aside(lambda stores: stores.ledger.newest(limit, last), nothing)

    async def retell(self, text: str) -> Retelling | None:
        """A task of any age, as it stood at the cursor."""
        until = self._state.seq
        return await self._aside(lambda stores: stores.ledger.retell(text, until=until), None)

    async def task_events(self, task: TaskId) -> Sequence[e.Recorded]:
        """The story of a task up to the cursor."""
        nothing: Sequence[e.Recorded] = ()
        return await self._aside(lambda stores: stores.task_story(task, self._at_ms), nothing)

    async def moments(self, before_ms: int, after_ms: int) -> Moments:
        """The fleet at two instants up to the cursor."""
        here, at_ms = self._state, self._at_ms
        return await self._aside(
            lambda stores: stores.moments(
                before_ms, after_ms, first_ms=self._start_ms, last_ms=at_ms
            ),
            Moments(before=here, after=here, before_ms=at_ms, after_ms=at_ms),
        )

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        """Refused: a recording takes no commands."""
        return Refused(
            code=RefusalCode.REVIEW,
            text="This is a recording; nothing can be done in it.",
            hint="`fleet-tui open` goes to the living fleet.",
        )

    async def close(self) -> None:
        """Close the files. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._moved.set()
        try:
            if self._player is not None:
                self._player.cancel()
                with suppress(asyncio.CancelledError):
                    await self._player
        finally:
            if self._stores is not None:
                self._stores.close()
            if self._in_use is not None:
                self._in_use.close()

    # The timeline

    @property
    def start_ms(self) -> int:
        """When the recording begins."""
        return self._start_ms

    @property
    def end_ms(self) -> int:
        """When it ends."""
        return self._end_ms

    @property
    def playing(self) -> bool:
        """Whether it is playing."""
        return self._playing

    @property
    def speed(self) -> float:
        """Recorded seconds per second."""
        return self._speed

    def play(self) -> None:
        """Play; from the start again when the cursor is at the end."""
        if self._at_ms >= self._end_ms:
            self._here(lambda stores: self._go_to(stores, self._start_ms), None)
        self._playing = self._lost is None
        self._touch()

    def pause(self) -> None:
        """Pause playing."""
        self._playing = False
        self._touch()

    def set_speed(self, speed: float) -> None:
        """Set recorded seconds per second, kept within SPEEDS."""
        self._speed = min(max(speed, SPEEDS[0]), SPEEDS[1])
        self._touch()

    async def seek(self, at_ms: int) -> None:
        """Go to an instant."""
        self._here(lambda stores: self._go_to(stores, at_ms), None)

    async def step(self, events: int) -> None:
        """Go that many events forward or back, and pause."""
        self._playing = False
        self._here(lambda stores: self._step(stores, events), None)

    async def next_mark(self, backward: bool = False) -> bool:
        """Go to the next notable event and pause."""
        here = self._state.seq
        if backward:
            before = [s for s in self._marked_seqs if s < here]
            target = before[-1] if before else None
        else:
            target = next((s for s in self._marked_seqs if s > here), None)
        self._playing = False
        if target is None:
            self._touch()
            return False
        self._here(lambda stores: self._jump_to_seq(stores, target), None)
        return True

    def marks(self) -> Sequence[tuple[int, Mark]]:
        """(instant, kind) of notable events."""
        return self._marks

    def depth_curve(self, buckets: int) -> Sequence[int]:
        """The most tasks waiting in each stretch, from the fleet's samples."""
        curve = [0] * max(buckets, 1)
        span = max(self._end_ms - self._start_ms, 1)
        nothing: Sequence[FleetSample] = ()
        pulse = self._here(
            lambda stores: stores.samples.fleet_samples(self._start_ms, self._end_ms, 100_000),
            nothing,
        )
        for sample in pulse:
            place = min((sample.at_ms - self._start_ms) * len(curve) // span, len(curve) - 1)
            curve[place] = max(curve[place], sample.depth)
        return curve

    # Inside

    async def _aside(self, what: Callable[[Stores], T], otherwise: T) -> T:
        """As _here, in a thread."""
        found = await asyncio.to_thread(self._read, what, otherwise)
        self._notice_loss()
        return found

    def _here(self, what: Callable[[Stores], T], otherwise: T) -> T:
        """Read something. A read error ends the review for good; from then on the result is
        ``otherwise``, and :meth:`changed` raises the reason."""
        found = self._read(what, otherwise)
        self._notice_loss()
        return found

    def _read(self, what: Callable[[Stores], T], otherwise: T) -> T:
        assert self._stores is not None, "the feed is not open"
        assert self._in_use is not None
        if self._lost is not None:
            return otherwise
        try:
            if self._in_use.is_there():
                return what(self._stores)
        except UNREADABLE as error:
            if self._in_use.is_there():
                self._lost = JournalError(f"{self._directory} can no longer be read: {error}")
                return otherwise
        except (AssertionError, ValueError):  # half of the data read is of another ledger
            if self._in_use.is_there():
                raise
        self._lost = JournalMissing(
            f"{self._directory} was deleted, moved or replaced while it was open",
            hint="what is on screen was read before; open it again to see more",
        )
        return otherwise

    def _notice_loss(self) -> None:
        if self._lost is not None and not self._is_told:
            self._playing = False
            self._touch()

    def _step(self, stores: Stores, events: int) -> None:
        ledger = stores.ledger
        if events > 0:
            ahead = [r for r in ledger.read(self._state.seq, events) if r.at_ms <= self._end_ms]
            if ahead:
                self._forward_to(stores, ahead[-1].at_ms, ahead[-1].seq)
        else:
            lowest = max(ledger.seq_at(self._start_ms), Seq(1))
            self._jump_to_seq(stores, Seq(max(lowest, self._state.seq + events)))

    def _touch(self) -> None:
        self._view = None
        self._moved.set()

    def _go_to(self, stores: Stores, at_ms: int) -> None:
        at_ms = min(max(at_ms, self._start_ms), self._end_ms)
        if at_ms >= self._at_ms and self._at_ms:
            self._forward_to(stores, at_ms, None)
        else:
            self._state = stores.ledger.load(until_ms=at_ms)
            self._at_ms = at_ms
            self._restart_lines(stores)
            self._look_around(stores)

    def _jump_to_seq(self, stores: Stores, seq: Seq) -> None:
        ledger = stores.ledger
        if seq > self._state.seq:
            (target,) = ledger.read(Seq(seq - 1), 1)
            self._forward_to(stores, target.at_ms, seq)
            return
        before_ms = self._at_ms
        self._state = ledger.load(until_seq=seq)
        self._at_ms = max(self._state.at_ms, self._start_ms)
        if self._at_ms < before_ms:
            self._restart_lines(stores)
        self._look_around(stores)

    def _forward_to(self, stores: Stores, at_ms: int, until: Seq | None) -> None:
        """Fold the events ahead, up to an instant and, if given, a position."""
        while batch := stores.ledger.read(self._state.seq, PAGE_EVENTS):
            due = [r for r in batch if r.at_ms <= at_ms and (until is None or r.seq <= until)]
            if due:
                self._state = fold(self._state, due)
            if len(due) < len(batch):
                break
        self._at_ms = at_ms
        self._read_lines(stores)
        self._look_around(stores)

    def _read_lines(self, stores: Stores) -> None:
        """Lines since the last ones, up to the cursor; of very many only the newest."""
        newest = stores.find_lines(LogQuery(limit=1), self._at_ms)
        too_many = newest[0].line_id - self._line_mark - PAGE_LINES if newest else 0
        if too_many > 0:
            self._untaken.skip(too_many)
            self._line_mark += too_many
        while lines := stores.lines.after(self._line_mark, PAGE_LINES, until_ms=self._at_ms):
            self._line_mark = lines[-1].line_id
            self._untaken.add(lines)

    def _restart_lines(self, stores: Stores) -> None:
        """After a jump the log shows what was newest at the cursor."""
        found = stores.find_lines(LogQuery(limit=FIRST_LINES), self._at_ms)
        self._untaken.restart(found)
        self._line_mark = found[-1].line_id if found else 0

    def _look_around(self, stores: Stores) -> None:
        self._probes = stores.samples.latest_probes(self._at_ms)
        self._pulse.read(stores.samples, self._at_ms)
        self._touch()

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(FRAME_S)
            now = loop.time()
            passed_ms = round((now - last) * 1_000 * self._speed)
            last = now
            if not self._playing:
                continue
            target = self._at_ms + passed_ms
            until_ms = min(target, self._end_ms)
            self._here(partial(self._forward_to, at_ms=until_ms, until=None), None)
            if target >= self._end_ms:
                self.pause()

    def _find_marks(self) -> None:
        """Scan the ledger once for notable events."""
        seq = Seq(0)
        assert self._stores is not None
        ledger = self._stores.ledger
        while batch := ledger.read(seq, PAGE_EVENTS):
            seq = batch[-1].seq
            for recorded in batch:
                if not self._start_ms <= recorded.at_ms <= self._end_ms:
                    continue
                mark = mark_of(recorded.event)
                if mark is not None:
                    self._marks.append((recorded.at_ms, mark))
                    self._marked_seqs.append(recorded.seq)
        if len(self._marks) > MAX_MARKS:
            every = len(self._marks) // MAX_MARKS + 1
            self._marks = self._marks[::every]
