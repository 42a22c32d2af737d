"""An engine with its neighbours in memory, to be told what happens."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.fleet import AgentSpec, FleetSpec
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.step import AgentProbed, FleetChanged, RunReported
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.engine.clock import Clock, WallClock
from fleet_tui.engine.effects import FleetEffects, MakePort
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.pacing import USUAL, Pacing
from fleet_tui.wire.port import AgentPort
from tests.support.memory import FakeHost, FakePort, MemoryLedger

DEADLINE_S = 20.0


class Rig:
    """An engine, its ledger and the hosts of its agents."""

    def __init__(
        self,
        spec: FleetSpec,
        state: FleetState,
        hosts: dict[AgentName, FakeHost],
        clock: Clock | None = None,
        pacing: Pacing = USUAL,
    ) -> None:
        clock = clock or WallClock()
        self.hosts = hosts
        self.ledger = MemoryLedger(start=state.seq)
        self.spec = spec
        self._changed = asyncio.Condition()
        self._pending: set[asyncio.Task[None]] = set()
        self.port_of: MakePort = lambda _, agent: FakePort(agent.name, self.hosts[agent.name])
        """The way to an agent; tests put others in its place."""
        self.effects = FleetEffects(
            self._port,
            clock=clock,
            rng=random.Random(1),
            on_probe=lambda result: self.engine.inbox.put(AgentProbed(result)),
            on_log_lines=lambda lines: None,
            on_run_report=lambda run, report: self.engine.inbox.put(RunReported(run, report)),
            past_tasks=self.ledger.past_tasks,
            pacing=pacing,
        )
        self.engine = Engine(
            self.ledger,
            state,
            self.effects,
            clock,
            lambda state, rows: self._poke(),
            pacing=pacing,
        )

    def _port(self, spec: FleetSpec, agent: AgentSpec) -> AgentPort:
        return self.port_of(spec, agent)

    def _poke(self) -> None:
        task = asyncio.create_task(self._notify())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, holds: Callable[[FleetState], bool]) -> FleetState:
        """Wait for the state to be so."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: holds(self.engine.state))
        return self.engine.state

    async def submit(self, number: int, spec: TaskSpec) -> Reply:
        """Give it a task with a key of its own."""
        task = TaskId(f"TASK{number:022d}")
        return await self.engine.ask("me", Submit(task=task, key=str(task), spec=spec))


@asynccontextmanager
async def running(
    spec: FleetSpec,
    state: FleetState = EMPTY_STATE,
    hosts: dict[AgentName, FakeHost] | None = None,
    clock: Clock | None = None,
    pacing: Pacing = USUAL,
) -> AsyncIterator[Rig]:
    hosts = hosts or {name: FakeHost() for name in spec.agents}
    rig = Rig(spec, state, hosts, clock, pacing)
    loop = asyncio.create_task(rig.engine.run())
    await rig.engine.inbox.put(FleetChanged(spec, "me"))
    try:
        yield rig
    finally:
        await rig.engine.ask("me", StopEngine())
        await loop
        await rig.effects.close()


def only_task(state: FleetState) -> Task:
    (task,) = state.tasks()
    return task


async def all_up(rig: Rig) -> None:
    await rig.until(lambda s: bool(s.agents) and all(a.in_service for a in s.agents.values()))
