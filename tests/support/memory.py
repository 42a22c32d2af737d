"""The engine's neighbours in memory: a ledger that keeps nothing, agents that run nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.ids import AgentName, Epoch, RunId, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded, task_of
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.evidence import (
    Answer,
    Checkpoint,
    Definite,
    Finished,
    LostReason,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.retell import retell
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.clock import Clock, WallClock
from fleet_tui.wire.port import Inspection, KeptRuns, Outcome, StartAnswer, Wanted, always_wanted


class MemoryLedger:
    """Commits to a list."""

    def __init__(self, start: int = 0) -> None:
        self.rows: list[Recorded] = []
        self.earlier: list[Recorded] = []
        """What engines before this one committed, where somebody asks for it."""
        self._start = start

    @property
    def epoch(self) -> Epoch:
        return Epoch(1)

    async def past_tasks(self, tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
        """As its rows tell them, from their submission on."""
        rows = [*self.earlier, *self.rows]
        told = (retell(one, [r for r in rows if task_of(r.event) == one]).task for one in tasks)
        return {task.id: task for task in told if task is not None}

    async def append(self, events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        first = self._start + len(self.rows) + 1
        rows = [Recorded(Seq(first + n), at_ms, self.epoch, e) for n, e in enumerate(events)]
        self.rows.extend(rows)
        return tuple(rows)

    def kinds(self) -> list[str]:
        """Names of the event classes in order."""
        return [type(r.event).__name__ for r in self.rows]


class FakeHost:
    """The memory of an agent's host: what it was told to run and what became of it.

    It outlives ports and engines, as a real host outlives connections.
    """

    def __init__(self) -> None:
        self.started: list[str] = []
        self.payloads: dict[str, str] = {}
        self.done: dict[str, Finished | Stopped] = {}
        self.checkpoints: dict[str, Checkpoint] = {}
        self.fenced: set[str] = set()
        self.collected: list[str] = []
        self.reachable = True
        self.refuses: str | None = None
        self.changed = asyncio.Condition()

    async def finish(self, run_id: str, fact: Finished | None = None) -> None:
        """The run ends."""
        async with self.changed:
            self.done[run_id] = fact or Finished(
                ok=True,
                answer=Answer(text=Untrusted("done"), size_bytes=4),
                usage=Usage(input_tokens=10, output_tokens=5, cost_microusd=1_000),
            )
            self.changed.notify_all()

    async def cut(self) -> None:
        """Nothing of it can be reached any more."""
        async with self.changed:
            self.reachable = False
            self.changed.notify_all()

    async def mend(self) -> None:
        """It can be reached again."""
        async with self.changed:
            self.reachable = True
            self.changed.notify_all()


KEPT_LIMIT = 2
"""Runs that a FakeHost tells at a time of those that it holds."""

LOST = Unknown(LostReason.CONNECTION_LOST)


class FakePort:
    """An AgentPort over a FakeHost."""

    def __init__(self, name: AgentName, host: FakeHost, clock: Clock | None = None) -> None:
        self.name = name
        self.host = host
        self._clock = clock or WallClock()
        self.hung_up = asyncio.Event()

    async def lost(self) -> ProbeFailure:
        await self.hung_up.wait()
        self.hung_up.clear()
        return ProbeFailure(
            agent=self.name,
            observed_at_ms=self._clock.now_ms(),
            kind=FailureKind.GATEWAY_DOWN,
            detail=Untrusted("connection closed"),
        )

    async def probe(self) -> VitalsReading | ProbeFailure:
        at_ms = self._clock.now_ms()
        if not self.host.reachable:
            return ProbeFailure(
                agent=self.name, observed_at_ms=at_ms, kind=FailureKind.SSH_UNREACHABLE
            )
        return VitalsReading(
            agent=self.name, observed_at_ms=at_ms, latency_ms=1.0, version="1", boot_id="b1"
        )

    async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
        if not self.host.reachable:
            return LOST
        if self.host.refuses is not None:
            return Definite(NotStarted(reason=self.host.refuses))
        self.host.started.append(order.run_id)
        self.host.payloads[order.run_id] = order.payload.raw
        return Definite(Started(boot_id="b1"))

    async def follow(self, order: RunOrder) -> Outcome:
        async with self.host.changed:
            await self.host.changed.wait_for(
                lambda: not self.host.reachable or order.run_id in self.host.done
            )
        if not self.host.reachable:
            return LOST
        return Definite(self.host.done[order.run_id])

    async def inspect(self, order: RunOrder) -> Inspection:
        if not self.host.reachable:
            return LOST
        if order.run_id in self.host.done:
            return Definite(self.host.done[order.run_id])
        if order.run_id in self.host.started:
            return Definite(Running(checkpoint=self.host.checkpoints.get(order.run_id)))
        self.host.fenced.add(order.run_id)
        return Definite(NotStarted(reason="fenced", fenced=True))

    async def cancel(self, order: RunOrder) -> Inspection:
        if not self.host.reachable:
            return LOST
        self.host.done.setdefault(order.run_id, Stopped())
        return Definite(self.host.done[order.run_id])

    async def fence(self, order: RunOrder) -> Inspection:
        if self.host.reachable and order.run_id in self.host.started:
            return await self.cancel(order)
        return await self.inspect(order)

    async def tail(self) -> AsyncIterator[LogLine | LogGap]:
        nothing: tuple[LogLine, ...] = ()
        for line in nothing:
            yield line

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        if not self.host.reachable:
            return ()
        self.host.collected.extend(runs)
        return runs

    async def kept(self, skip: int) -> KeptRuns | None:
        if not self.host.reachable:
            return None
        kept = [run for run in self.host.started if run not in self.host.collected][skip:]
        page = [RunId(run) for run in kept[:KEPT_LIMIT]]
        return KeptRuns(page, skip + len(page) if len(kept) > len(page) else None)

    async def close(self) -> None:
        pass
