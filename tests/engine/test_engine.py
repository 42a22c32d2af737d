"""The loop with its neighbours in memory: what is committed, what is done, and in which order."""

import asyncio
from collections.abc import Sequence

import pytest

from fleet_tui.base.errors import FleetError
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.fleet import AgentSpec, Deadlines, FleetSpec, ProbeSpec, TaskClass
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.step import AgentProbed, Tick
from fleet_tui.core.tasks.commands import Cancel
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.tasks.evidence import Finished
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.engine.clock import WallClock
from fleet_tui.wire.port import AgentPort
from tests.engine.rig import DEADLINE_S, Rig, all_up, only_task, running
from tests.support.fleets import agent, fleet, work
from tests.support.memory import FakeHost, FakePort


async def test_a_task_runs_and_its_result_is_kept() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        reply = await rig.submit(1, work("count the lines"))
        assert isinstance(reply, Accepted)
        assert reply.number == 1
        state = await rig.until(lambda s: rig.hosts[AgentName("a1")].started != [])
        host = rig.hosts[AgentName("a1")]
        run = host.started[0]
        assert host.payloads[run] == "count the lines"
        await host.finish(run)
        state = await rig.until(lambda s: bool([*s.ended_tasks()]))
        task = only_task(state)
        assert task.phase is TaskPhase.SUCCEEDED
        assert task.attempts[0].answer.text.raw == "done"
        assert state.totals.cost_microusd == 1_000
        assert state.agents[AgentName("a1")].runs == frozenset()


async def test_nothing_is_started_before_its_placement_is_committed() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        started = rig.hosts[AgentName("a1")].started
        before: list[list[str]] = []
        append = rig.ledger.append

        async def slow_append(events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
            if any(isinstance(event, TaskPlaced) for event in events):
                for _ in range(50):  # who does not wait for the commit is at work by then
                    await asyncio.sleep(0)
                before.append([*started])
            return await append(events, at_ms)

        rig.ledger.append = slow_append  # type: ignore[method-assign]  # watch the order
        await rig.submit(1, work())
        await rig.until(lambda s: started != [])
        assert before == [[]]


class Sleeper(WallClock):
    """The clock of a machine that can be suspended."""

    slept_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.slept_ms


@pytest.mark.parametrize(
    ("slept_ms", "health"), [(0, Health.UNREACHABLE), (120_000, Health.UP)], ids=["awake", "slept"]
)
async def test_looks_that_fail_after_a_pause_blame_no_agent(slept_ms: int, health: Health) -> None:
    slow = ProbeSpec(every_ms=600_000, timeout_ms=500, down_after=3, up_after=1)
    clock = Sleeper()
    async with running(fleet(agent("a1", probe=slow)), clock=clock) as rig:
        await all_up(rig)
        clock.slept_ms = slept_ms
        for _ in range(slow.down_after):
            failure = ProbeFailure(
                agent=AgentName("a1"),
                observed_at_ms=clock.now_ms(),
                kind=FailureKind.SSH_UNREACHABLE,
            )
            await rig.engine.inbox.put(AgentProbed(failure))
        assert isinstance(await rig.engine.ask("me", AddNote(text=work().payload)), Accepted)
        assert rig.engine.state.agents[AgentName("a1")].health is health


async def test_a_pause_of_the_engine_stops_nothing() -> None:
    """Nothing was heard of the run meanwhile, for nobody listened."""

    clock = Sleeper()
    pulse = Deadlines(heartbeat_ms=30_000)
    async with running(fleet(agent("a1")), clock=clock) as rig:
        await all_up(rig)
        await rig.submit(1, work(deadlines=pulse))
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.RUNNING)
        clock.slept_ms = 120_000
        for number in range(2, 5):
            await rig.engine.inbox.put(Tick())
            await rig.submit(number, work())
        task = rig.engine.state.task(TaskId(f"TASK{1:022d}"))
        assert task is not None
        assert task.attempts[0].phase is AttemptPhase.RUNNING


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
        state = await rig.until(lambda s: bool([*s.ended_tasks()]))
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
        state = await second.until(lambda s: len([*s.ended_tasks()]) == 3)
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
        assert only_task(second.engine.state).attempts[0].phase is AttemptPhase.FENCED
    host = hosts[AgentName("a1")]
    assert [RunId(r)[-2:] for r in host.started] == [".2"]
    assert {r[-2:] for r in host.fenced} == {".1"}


async def test_cancel_stops_the_run() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await all_up(rig)
        reply = await rig.submit(1, work())
        assert isinstance(reply, Accepted)
        assert reply.task is not None
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.RUNNING)
        await rig.engine.ask("me", Cancel(tasks=(reply.task,)))
        state = await rig.until(lambda s: bool([*s.ended_tasks()]))
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
        assert isinstance(first, Accepted)
        assert isinstance(again, Accepted)
        assert again.duplicate
        assert again.number == first.number
        assert isinstance(other, Refused)
        assert other.code == "key-conflict"


async def test_commands_after_the_stop_are_refused() -> None:
    async with running(fleet(agent("a1"))) as rig:
        await rig.engine.ask("me", StopEngine())
        reply = await rig.engine.ask("me", AddNote(text=work().payload))
        assert isinstance(reply, Refused)
        assert reply.code == "stopping"


async def test_nobody_waits_for_ever_for_a_ledger_that_failed() -> None:
    rig = Rig(fleet(agent("a1")), EMPTY_STATE, {AgentName("a1"): FakeHost()})

    async def fail(events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        raise FleetError("the disk is gone")

    rig.ledger.append = fail  # type: ignore[method-assign]  # the disk fails
    loop = asyncio.create_task(rig.engine.run())
    async with asyncio.timeout(DEADLINE_S):
        reply = await rig.engine.ask("me", AddNote(text=work().payload))
    assert isinstance(reply, Refused)
    assert reply.code == "in-doubt"
    with pytest.raises(FleetError):
        await loop
    await rig.effects.close()


async def test_a_connection_that_is_lost_takes_its_agent_out_of_routing_before_the_next_look() -> (
    None
):
    """Probes are minutes apart here; the loss is known at once, and the probe after it as well."""
    slow = ProbeSpec(every_ms=600_000, timeout_ms=500, down_after=3, up_after=1)
    ports: list[FakePort] = []
    async with running(fleet(agent("a1", probe=slow))) as rig:
        make = rig.port_of

        def port_of(spec: FleetSpec, of: AgentSpec) -> AgentPort:
            made = make(spec, of)
            assert isinstance(made, FakePort)
            ports.append(made)
            return made

        rig.port_of = port_of
        await all_up(rig)
        rig.hosts[AgentName("a1")].reachable = False
        ports[0].hung_up.set()
        state = await rig.until(lambda s: not s.agents[AgentName("a1")].in_service)
        assert state.agents[AgentName("a1")].failure in (
            FailureKind.GATEWAY_DOWN,
            FailureKind.SSH_UNREACHABLE,
        )
        rig.hosts[AgentName("a1")].reachable = True
        ports[0].hung_up.set()
        await all_up(rig)
        losses = [
            r.event
            for r in rig.ledger.rows
            if isinstance(r.event, HealthChanged) and r.event.failure is FailureKind.GATEWAY_DOWN
        ]
        assert (losses[0].health, losses[0].detail.raw) == (Health.SUSPECT, "connection closed")
