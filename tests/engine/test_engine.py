"""The loop with its neighbours in memory: what is committed, what is done, and in which order."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from fleet_tui.core import commands as c
from fleet_tui.core.evidence import Finished
from fleet_tui.core.fleet import FleetSpec, TaskClass
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.state import (
    EMPTY_STATE,
    AttemptPhase,
    FleetState,
    Health,
    Task,
    TaskPhase,
    TaskSpec,
)
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.effects import FleetEffects
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.inbox import FleetChanged, LookTaken, WordHeard
from tests.support.fleets import agent, fleet, work
from tests.support.memory import FakeHost, FakePort, MemoryLedger

DEADLINE_S = 20.0


class Rig:
    """An engine, its ledger and the hosts of its agents."""

    def __init__(
        self, spec: FleetSpec, state: FleetState, hosts: dict[AgentName, FakeHost]
    ) -> None:
        self.hosts = hosts
        self.ledger = MemoryLedger(start=state.seq)
        self.spec = spec
        self._changed = asyncio.Condition()
        self._pending: set[asyncio.Task[None]] = set()
        clock = WallClock()
        self.effects = FleetEffects(
            lambda _, a: FakePort(a.name, self.hosts[a.name]),
            clock=clock,
            rng=random.Random(1),
            seen=lambda look: self.engine.inbox.put(LookTaken(look)),
            heard=lambda lines: None,
            hear=lambda run, word: self.engine.inbox.put(WordHeard(run, word)),
        )
        self.engine = Engine(
            self.ledger, state, self.effects, clock, lambda state, rows: self._poke()
        )

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

    async def submit(self, number: int, spec: TaskSpec) -> c.Reply:
        """Give it a task with a key of its own."""
        task = TaskId(f"TASK{number:022d}")
        return await self.engine.ask("me", c.Submit(task=task, key=str(task), spec=spec))


@asynccontextmanager
async def running(
    spec: FleetSpec,
    state: FleetState = EMPTY_STATE,
    hosts: dict[AgentName, FakeHost] | None = None,
) -> AsyncIterator[Rig]:
    rig = Rig(spec, state, hosts or {name: FakeHost() for name in spec.agents})
    loop = asyncio.create_task(rig.engine.run())
    await rig.engine.inbox.put(FleetChanged(spec, "me"))
    try:
        yield rig
    finally:
        await rig.engine.ask("me", c.StopEngine())
        await loop
        await rig.effects.close()


def only_task(state: FleetState) -> Task:
    (task,) = [*state.open_tasks.values(), *state.closed_tasks.values()]
    return task


async def all_up(rig: Rig) -> None:
    await rig.until(lambda s: bool(s.agents) and all(a.in_service for a in s.agents.values()))


async def test_a_task_runs_and_its_result_is_kept() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        reply = await rig.submit(1, work("count the lines"))
        assert isinstance(reply, c.Accepted)
        assert reply.number == 1
        state = await rig.until(lambda s: rig.hosts[AgentName("a1")].started != [])
        host = rig.hosts[AgentName("a1")]
        run = host.started[0]
        assert host.payloads[run] == "count the lines"
        await host.finish(run)
        state = await rig.until(lambda s: bool(s.closed_tasks))
        task = only_task(state)
        assert task.phase is TaskPhase.SUCCEEDED
        assert task.attempts[0].answer.text.raw == "done"
        assert state.totals.cost_microusd == 1_000
        assert state.agents[AgentName("a1")].runs == frozenset()


async def test_nothing_is_started_before_its_placement_is_committed() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        seen: list[bool] = []
        append = rig.ledger.append

        async def slow_append(events, at_ms):  # type: ignore[no-untyped-def]  # wraps as it is
            seen.append(bool(rig.hosts[AgentName("a1")].started))
            return await append(events, at_ms)

        rig.ledger.append = slow_append  # type: ignore[method-assign]  # watch the order
        await rig.submit(1, work())
        await rig.until(lambda s: rig.hosts[AgentName("a1")].started != [])
        placed = rig.ledger.kinds().index("TaskPlaced")
        assert "AttemptStarted" not in rig.ledger.kinds()[:placed]
        assert seen[0] is False


async def test_a_refused_start_is_tried_elsewhere() -> None:
    async with running(fleet(agent("a1"), agent("a2"))) as rig:
        rig.hosts[AgentName("a1")].refuses = "draining"
        await all_up(rig)
        await rig.submit(1, work())
        await rig.until(lambda s: rig.hosts[AgentName("a2")].started != [])
        task = only_task(rig.engine.state)
        assert [a.phase for a in task.attempts[:-1]] == [AttemptPhase.NOT_STARTED]
        assert task.attempts[-1].agent == "a2"


async def test_a_lost_connection_decides_nothing_and_the_run_is_found_again() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        await rig.submit(1, work())
        host = rig.hosts[AgentName("a1")]
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.RUNNING)
        await host.cut()
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.UNKNOWN)
        await rig.until(lambda s: s.agents[AgentName("a1")].health is Health.UNREACHABLE)
        assert only_task(rig.engine.state).phase is TaskPhase.ACTIVE
        await host.finish(host.started[0])
        await host.mend()
        state = await rig.until(lambda s: bool(s.closed_tasks))
        assert only_task(state).phase is TaskPhase.SUCCEEDED
        assert len(host.started) == 1


async def test_a_new_engine_finds_running_work_and_starts_nothing_twice() -> None:
    spec = fleet(agent("a1", slots=4))
    hosts = {AgentName("a1"): FakeHost()}
    async with running(spec, hosts=hosts) as first:
        await all_up(first)
        for number in range(3):
            await first.submit(number, work(f"task {number}"))
        await first.until(lambda s: len(hosts[AgentName("a1")].started) == 3)
        state = first.engine.state
    host = hosts[AgentName("a1")]
    async with running(spec, state, hosts) as second:
        for run in list(host.started):
            await host.finish(run)
        state = await second.until(lambda s: len(s.closed_tasks) == 3)
    assert len(host.started) == 3
    assert {t.phase for t in state.closed_tasks.values()} == {TaskPhase.SUCCEEDED}


async def test_a_placement_that_was_never_sent_is_fenced_and_sent_again() -> None:
    spec = fleet(agent("a1"))
    hosts = {AgentName("a1"): FakeHost()}
    async with running(spec, hosts=hosts) as first:
        await all_up(first)
        await hosts[AgentName("a1")].cut()
        await first.submit(1, work())
        state = await first.until(lambda s: bool(only_task(s).attempts))
    await hosts[AgentName("a1")].mend()
    async with running(spec, state, hosts) as second:
        await second.until(lambda s: hosts[AgentName("a1")].started != [])
        assert only_task(second.engine.state).attempts[0].phase is AttemptPhase.NOT_STARTED
    host = hosts[AgentName("a1")]
    assert [RunId(r)[-2:] for r in host.started] == [".2"]
    assert {r[-2:] for r in host.fenced} == {".1"}


async def test_cancel_stops_the_run() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        reply = await rig.submit(1, work())
        assert isinstance(reply, c.Accepted)
        assert reply.task is not None
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.RUNNING)
        await rig.engine.ask("me", c.Cancel(task=reply.task))
        state = await rig.until(lambda s: bool(s.closed_tasks))
        task = only_task(state)
        assert task.phase is TaskPhase.CANCELLED
        assert task.attempts[0].phase is AttemptPhase.CANCELLED


@pytest.mark.parametrize(
    ("task_class", "phase", "starts"),
    [(TaskClass.ONCE, TaskPhase.FAILED, 1), (TaskClass.IDEMPOTENT, TaskPhase.ACTIVE, 2)],
)
async def test_failed_work_follows_its_class(
    task_class: TaskClass, phase: TaskPhase, starts: int
) -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        await rig.submit(1, work(task_class=task_class))
        host = rig.hosts[AgentName("a1")]
        await rig.until(lambda s: bool(host.started))
        await host.finish(host.started[0], Finished(ok=False, failure="exit-1"))
        await rig.until(lambda s: only_task(s).phase is phase and len(host.started) == starts)


async def test_the_same_key_is_the_same_task_and_other_work_is_a_conflict() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        first = await rig.submit(1, work("one"))
        again = await rig.submit(1, work("one"))
        other = await rig.submit(1, work("two"))
        assert isinstance(first, c.Accepted)
        assert isinstance(again, c.Accepted)
        assert again.duplicate
        assert again.number == first.number
        assert isinstance(other, c.Refused)
        assert other.code == "key-conflict"


async def test_commands_after_the_stop_are_refused() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await rig.engine.ask("me", c.StopEngine())
        reply = await rig.engine.ask("me", c.AddNote(text=work().payload))
        assert isinstance(reply, c.Refused)
        assert reply.code == "stopping"
