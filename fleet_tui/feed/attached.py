"""Following a running engine: the ledger is read from its files, the socket carries doorbells and
commands. When the engine goes away the ledger can still be read, and the header shows that."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import socket_path
from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.diff import Moments
from fleet_tui.core.engine.protocol import Doorbell
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.core.modes import ModeNow
from fleet_tui.core.plans import Impact
from fleet_tui.core.tasks.retell import Retelling
from fleet_tui.feed.client import NO_ENGINE, EngineClient
from fleet_tui.feed.feed import Link, Mode, View
from fleet_tui.feed.pulse import Pulse
from fleet_tui.feed.stores import Stores
from fleet_tui.feed.untaken import Untaken
from fleet_tui.journal.recordings.in_use import UNREADABLE

PAGE_EVENTS = 2_000
PAGE_LINES = 2_000
MAX_UNTAKEN_LINES = 20_000
"""Lines buffered for a console that does not take them; older ones are dropped and counted."""
FIRST_LINES = 500
CLOCKS_DIFFER_MS = 60_000
"""Samples of an engine whose clock is ahead of ours by up to this much are shown."""
PULSE_S = 1.0
"""Ages on screen are updated this often even when nothing happens."""
RECONNECT = Backoff(base_ms=200, cap_ms=5_000)


class AttachedFeed:
    """A feed of the engine that owns a state directory."""

    def __init__(
        self,
        directory: Path,
        *,
        by: str,
        read_only: bool = False,
        mode: Mode = Mode.LIVE,
        starting: bool = False,
        ledger_ready: Callable[[], None] | None = None,
    ) -> None:
        """``starting``: the engine will answer soon, and its ledger is shown already.
        ``ledger_ready`` blocks until there is one and raises FleetError when there never will be.
        """
        self._directory = directory
        self._by = by
        self._read_only = read_only
        self._mode = Mode.READ_ONLY if read_only else mode
        self._client: EngineClient | None = None
        self._stores: Stores | None = None
        self._state: FleetState = EMPTY_STATE
        self._probes: dict[AgentName, ProbeResult] = {}
        self._pulse = Pulse()
        self._sample_mark = -1
        self._line_mark = 0
        self._untaken = Untaken(MAX_UNTAKEN_LINES)
        self._starting = starting
        self._ledger_ready = ledger_ready
        self._link = Link.RECONNECTING if starting else Link.ATTACHED
        self._link_detail = "the engine is starting" if starting else ""
        self._told: ModeNow | None = None
        """The mode that the engine reports; None while there is no engine."""
        self._until: Seq | None = None
        """The last event that can be trusted, in a damaged ledger."""
        self._rung = asyncio.Event()
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None
        self._view: View | None = None

    @property
    def can_act(self) -> bool:
        """Whether commands can be accepted."""
        return not self._read_only

    async def open(self) -> None:
        """Read the existing files and connect. Raises FleetError."""
        try:
            if not self._starting:
                self._client = await self._connect()
            if self._ledger_ready is not None:
                await asyncio.to_thread(self._ledger_ready)
            self._until = self._told.trusted_seq if self._told else None
            self._stores = await asyncio.to_thread(Stores, self._directory, until=self._until)
            self._state = await asyncio.to_thread(self._stores.ledger.load)
            recent = self._stores.find_lines(LogQuery(limit=FIRST_LINES), None)
            self._untaken.add(recent)
            self._line_mark = recent[-1].line_id if recent else 0
            self._read_samples()
        except BaseException:  # close what was opened
            await self.close()
            raise
        self._view = None  # the view may have been read before there was anything in it
        self._keeper = asyncio.create_task(self._keep(), name="feed link")

    def view(self) -> View:
        """The newest view."""
        if self._view is None:
            self._view = View(
                state=self._state,
                probes=self._probes,
                samples=self._pulse.samples,
                now_ms=time.time_ns() // 1_000_000,
                mode=self._mode,
                link=self._link,
                link_detail=self._link_detail,
                engine=self._told or self._state.engine.mode,
            )
        return self._view

    def take_lines(self) -> Sequence[LogLine | LogGap]:
        """Lines since the last call; a gap counts those dropped in between."""
        return self._untaken.take()

    async def changed(self) -> None:
        """Return when there is something new, at the latest after PULSE_S."""
        if self._closed:
            raise asyncio.CancelledError
        with suppress(TimeoutError):
            async with asyncio.timeout(PULSE_S):
                await self._rung.wait()
        self._rung.clear()
        self._catch_up()
        self._view = None

    async def logs(self, query: LogQuery) -> Sequence[LogLine]:
        """Stored lines."""
        return await asyncio.to_thread(self._open_stores().find_lines, query, None)

    async def series(self, agent: AgentName, limit: int) -> Sequence[ProbeResult]:
        """The newest probes of an agent."""
        stores = self._open_stores()
        return await asyncio.to_thread(stores.samples.agent_series, agent, None, limit)

    async def history(self, limit: int, until: Seq | None = None) -> Sequence[Recorded]:
        """The newest events."""
        last = self._state.seq if until is None else min(until, self._state.seq)
        return await asyncio.to_thread(self._open_stores().ledger.newest, limit, last)

    async def retell(self, text: str) -> Retelling | None:
        """A task of any age."""
        return await asyncio.to_thread(self._open_stores().ledger.retell, text)

    async def task_events(self, task: TaskId) -> Sequence[Recorded]:
        """The story of a task."""
        return await asyncio.to_thread(self._open_stores().task_story, task, None)

    async def moments(self, before_ms: int, after_ms: int) -> Moments:
        """The fleet at two instants."""
        return await asyncio.to_thread(self._open_stores().moments, before_ms, after_ms)

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        """Send a command to the engine."""
        if self._read_only:
            return Refused(code=RefusalCode.READ_ONLY, text="This console is read-only.")
        if self._client is None or not self._client.connected:
            return NO_ENGINE
        reply = await self._client.send(command, shown)
        self._rung.set()
        return reply

    async def close(self) -> None:
        """Disconnect and close the files."""
        self._closed = True
        self._rung.set()
        try:
            if self._keeper is not None:
                self._keeper.cancel()
                with suppress(asyncio.CancelledError):
                    await self._keeper
        finally:
            try:
                if self._client is not None:
                    await self._client.close()
            finally:
                if self._stores is not None:
                    self._stores.close()

    def _open_stores(self) -> Stores:
        assert self._stores is not None, "the feed is not open"
        return self._stores

    def _catch_up(self) -> None:
        """A page at a time: with much to catch up on, the screen is drawn in between."""
        stores = self._open_stores()
        batch = stores.ledger.read(self._state.seq, PAGE_EVENTS)
        if batch:
            self._state = fold(self._state, batch)
        lines = stores.lines.after(self._line_mark, PAGE_LINES)
        if lines:
            self._line_mark = lines[-1].line_id
            self._untaken.add(lines)
        # A page of large events ends early, so its length does not show whether it is the last.
        if (batch and self._state.seq < stores.ledger.last_seq()) or len(lines) == PAGE_LINES:
            self._rung.set()
        self._read_samples()

    def _read_samples(self) -> None:
        stores = self._open_stores()
        newest = stores.samples.newest_id()
        if newest == self._sample_mark:
            return
        self._sample_mark = newest
        self._probes = stores.samples.latest_probes()
        now_ms = time.time_ns() // 1_000_000
        self._pulse.read(stores.samples, now_ms, CLOCKS_DIFFER_MS)

    async def _connect(self) -> EngineClient:
        client = await EngineClient.connect(
            socket_path(self._directory),
            self._by,
            read_only=self._read_only,
            rung=self._ring,
        )
        self._told = client.welcome.mode
        return client

    def _ring(self, bell: Doorbell) -> None:
        self._told = bell.mode
        self._rung.set()

    async def _look_as_far_as_trusted(self) -> None:
        """Another engine may trust less of the ledger than the one before, or all of it again."""
        until = self._told.trusted_seq if self._told is not None else None
        if until == self._until or self._stores is None:
            return
        stores = await asyncio.to_thread(Stores, self._directory, until=until)
        try:
            state = await asyncio.to_thread(stores.ledger.load)
        except BaseException:  # the ones before are kept
            stores.close()
            raise
        self._stores.close()
        self._stores, self._until, self._state = stores, until, state

    async def _keep(self) -> None:
        """Keep the connection up for as long as the console runs."""
        tries = 0
        while True:
            if self._client is not None:
                await self._client.lost()
                await self._hang_up(self._client)
                self._set_link(Link.RECONNECTING, "the engine is gone; `fleet-tui open` starts one")
            tries += 1
            await asyncio.sleep(RECONNECT.ceiling_ms(tries) / 1_000)
            try:
                self._client = await self._connect()
                self._starting = False
                await self._look_as_far_as_trusted()
            except (FleetError, *UNREADABLE) as error:
                if self._client is not None:
                    await self._hang_up(self._client)
                if not self._starting:
                    self._set_link(Link.RECONNECTING, str(error))
                continue
            tries = 0
            self._set_link(Link.ATTACHED, "")

    async def _hang_up(self, client: EngineClient) -> None:
        await client.close()
        self._client = self._told = None

    def _set_link(self, link: Link, detail: str) -> None:
        self._link, self._link_detail = link, detail
        self._rung.set()
