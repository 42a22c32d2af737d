"""A feed in memory with a seeded fleet of twenty agents, for every test of the console.

The clock stands still until ``tick``; the scene is :mod:`tests.support.scene`.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, FleetSample, ProbeResult, VitalsReading
from fleet_tui.core.diff import Moments
from fleet_tui.core.ids import (
    AgentName,
    Epoch,
    Seq,
    TaskId,
)
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import Folding
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogGap, LogLine, LogQuery
from fleet_tui.core.plans import Impact
from fleet_tui.core.tasks.retell import Retelling
from fleet_tui.core.undo import inverse
from fleet_tui.feed.feed import Link, Mode, View
from tests.support.scene import NOW_MS, agent_name, seeded_looks, seeded_state
from tests.support.scene_telemetry import seeded_lines, seeded_samples


class FakeFeed:
    """A :class:`fleet_tui.feed.feed.Feed` whose world the test moves."""

    def __init__(
        self,
        *,
        state: FleetState | None = None,
        probes: Mapping[AgentName, ProbeResult] | None = None,
        samples: Sequence[FleetSample] | None = None,
        lines: Sequence[LogLine | LogGap] | None = None,
        mode: Mode = Mode.LIVE,
        can_act: bool = True,
    ) -> None:
        self._view = View(
            state=seeded_state() if state is None else state,
            probes=seeded_looks() if probes is None else probes,
            samples=seeded_samples() if samples is None else samples,
            now_ms=NOW_MS,
            mode=mode,
        )
        self.stored: list[LogLine | LogGap] = list(seeded_lines() if lines is None else lines)
        self._fresh: list[LogLine | LogGap] = list(self.stored)
        self._can_act = can_act
        self._bell = asyncio.Event()
        self.sent: list[Command] = []
        self.shown: list[Impact | None] = []
        """Of each of them: what its author was shown of it."""
        """Every command that came, in order."""
        self.next_reply: Reply | None = None
        """What the next ``send`` answers instead of doing it."""
        self.told: dict[str, Retelling] = {}
        """What the ledger tells of tasks that the state has forgotten."""
        self.past: dict[AgentName, Sequence[ProbeResult]] = {}
        """The probes of an agent before its newest."""
        self.earlier: FleetState | None = None
        """The fleet at any earlier moment; None for as it is."""
        self.is_open = False
        self.is_closed = False

    # --- the world moves ---

    def push(self, **changes: object) -> None:
        """Change fields of the view, such as ``state=`` or ``link=``."""
        self._view = msgspec.structs.replace(self._view, **changes)
        self._bell.set()

    def change_state(self, **changes: object) -> None:
        """Change fields of the state; the position moves on by one."""
        state = self._view.state
        self.push(
            state=msgspec.structs.replace(
                state, seq=Seq(state.seq + 1), at_ms=self._view.now_ms, **changes
            )
        )

    def change_agent(self, name: AgentName, **changes: object) -> None:
        """Change fields of one agent."""
        agents = self._view.state.agents
        self.change_state(agents={**agents, name: msgspec.structs.replace(agents[name], **changes)})

    def say(self, *lines: LogLine | LogGap) -> None:
        """Log lines arrive."""
        self.stored.extend(lines)
        self._fresh.extend(lines)
        self._bell.set()

    def tick(self, ms: int = 1_000) -> None:
        """Time passes; agents that answer are seen again when their turn comes."""
        now = self._view.now_ms + ms
        probes = dict(self._view.probes)
        for name, look in probes.items():
            if isinstance(look, VitalsReading) and now - look.observed_at_ms > 5_000:
                probes[name] = msgspec.structs.replace(look, observed_at_ms=now)
        self.push(now_ms=now, probes=probes)

    # --- the protocol ---

    @property
    def can_act(self) -> bool:
        return self._can_act and self._view.mode is not Mode.REVIEW

    async def open(self) -> None:
        self.is_open = True

    def view(self) -> View:
        return self._view

    def take_lines(self) -> Sequence[LogLine | LogGap]:
        fresh, self._fresh = self._fresh, []
        return fresh

    async def changed(self) -> None:
        await self._bell.wait()
        self._bell.clear()

    async def logs(self, query: LogQuery) -> Sequence[LogLine]:
        words = query.words.casefold().split()
        found = [
            line
            for line in self.stored
            if isinstance(line, LogLine)
            and (query.source is None or line.source == query.source)
            and (query.task is None or line.task == query.task)
            and line.level >= query.level
            and (query.since_ms is None or line.received_at_ms >= query.since_ms)
            and (query.until_ms is None or line.received_at_ms <= query.until_ms)
            and (query.before_line is None or line.line_id < query.before_line)
            and (query.after_line is None or line.line_id > query.after_line)
            and all(word in line.text.raw.casefold() for word in words)
            and (query.contains.lower() in line.text.raw.lower() or not line.text.raw.isascii())
        ]
        return found[-query.limit :]

    async def series(self, agent: AgentName, limit: int) -> Sequence[ProbeResult]:
        newest = self._view.probes.get(agent)
        return [*self.past.get(agent, ()), *([newest] if newest is not None else [])][-limit:]

    async def history(self, limit: int, until: Seq | None = None) -> Sequence[Recorded]:
        story = (
            HealthChanged(
                agent=agent_name(14),
                health=Health.SUSPECT,
                was=Health.UP,
                reason="one look failed",
                failure=FailureKind.SSH_UNREACHABLE,
            ),
            HealthChanged(
                agent=agent_name(14),
                health=Health.UNREACHABLE,
                was=Health.SUSPECT,
                reason="3 looks in a row failed",
                failure=FailureKind.SSH_UNREACHABLE,
            ),
        )
        recorded = [
            Recorded(Seq(9_000 + i), NOW_MS - 199_000 + i * 15_000, Epoch(3), event)
            for i, event in enumerate(story)
        ]
        return [r for r in recorded if until is None or r.seq <= until][-limit:]

    async def retell(self, text: str) -> Retelling | None:
        return self.told.get(text)

    async def task_events(self, task: TaskId) -> Sequence[Recorded]:
        del task
        return ()

    async def moments(self, before_ms: int, after_ms: int) -> Moments:
        before = self.earlier if self.earlier is not None else self._view.state
        return Moments(
            before=before, after=self._view.state, before_ms=before_ms, after_ms=after_ms
        )

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        self.sent.append(command)
        self.shown.append(shown)
        if self.next_reply is not None:
            reply, self.next_reply = self.next_reply, None
            return reply
        if not self.can_act:
            return Refused(code=RefusalCode.READ_ONLY, text="this console is read-only")
        return self._obey(command)

    async def close(self) -> None:
        self.is_closed = True
        self._bell.set()

    def _obey(self, command: Command) -> Reply:
        """What an engine would do: decide, commit, tell how it is taken back."""
        state, now_ms = self._view.state, self._view.now_ms
        decision = decide(state, "ops", command, now_ms)
        if isinstance(decision, Refused):
            return decision
        folding = Folding(state)
        for n, event in enumerate(decision.events, 1):
            folding.apply(Recorded(Seq(state.seq + n), now_ms, state.engine.epoch, event))
        undo = inverse(state, decision.events, Made(by="ops", at_ms=now_ms))
        self.push(state=folding.state())
        return Accepted(
            seq=self._view.state.seq,
            task=decision.task,
            number=decision.number,
            changed=decision.changed,
            undo=undo,
        )


def quiet_feed(**changes: object) -> FakeFeed:
    """A feed whose fleet has nothing in it yet: for empty panes."""
    feed = FakeFeed(state=FleetState(), probes={}, samples=(), lines=())
    feed.push(**changes)
    return feed


def reconnecting(feed: FakeFeed, why: str = "the engine does not answer") -> None:
    """The engine goes away; the ledger is still read."""
    feed.push(link=Link.RECONNECTING, link_detail=why)
