"""Runs are followed to their end, whatever happens to the fleet file, the ports and the engine."""

import asyncio

import pytest
from msgspec.structs import replace

from fleet_tui.core.backoff import Backoff
from fleet_tui.core.engine.events import EngineStarted, FleetLoaded
from fleet_tui.core.fleet import AgentSpec, CommandAgent, FleetSpec, HostSpec, TaskClass
from fleet_tui.core.ids import AgentName, Epoch, HostName, RunId, Seq, TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.step import FleetChanged
from fleet_tui.core.tasks.commands import Cancel, Resolve, Verdict
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    Finished,
    LateWord,
    LostReason,
    RunOrder,
    Stopped,
    Unknown,
)
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine import dispatch
from fleet_tui.wire.port import (
    CANCELLED_FIRST,
    AgentPort,
    Inspection,
    Outcome,
    StartAnswer,
    Wanted,
    always_wanted,
)
from tests.engine.rig import DEADLINE_S, Rig, all_up, only_task, running
from tests.support.fleets import agent, fleet, work
from tests.support.memory import FakeHost, FakePort

A1 = AgentName("a1")
HOUR_MS = 3_600_000


async def begin(rig: Rig, number: int = 1, task_class: TaskClass = TaskClass.ONCE) -> str:
    """Submit a task and wait until an agent runs it."""
    await all_up(rig)
    before = sum(len(h.started) for h in rig.hosts.values())
    await rig.submit(number, work(task_class=task_class))
    await rig.until(lambda s: sum(len(h.started) for h in rig.hosts.values()) > before)
    state = await rig.until(
        lambda s: all(
            t.attempts and t.attempts[-1].phase is AttemptPhase.RUNNING
            for t in s.open_tasks.values()
        )
    )
    (task,) = (t for t in state.open_tasks.values() if t.number == number)
    return task.attempts[-1].run_id


def loaded(state: FleetState, spec: FleetSpec) -> FleetState:
    """The state after a new engine read another fleet file."""
    row = Recorded(Seq(state.seq + 1), state.at_ms, Epoch(2), FleetLoaded(spec=spec))
    return fold(state, [row])


async def test_a_run_whose_agent_left_the_file_while_the_engine_was_away_is_not_forgotten() -> None:
    hosts = {A1: FakeHost(), AgentName("a2"): FakeHost()}
    async with running(fleet(agent("a1")), hosts=hosts) as first:
        await begin(first)
        state = first.engine.state
    without = replace(fleet(agent("a2")), lost_after_ms=100)
    async with running(without, loaded(state, without), hosts) as second:
        await second.until(lambda s: only_task(s).phase is TaskPhase.NEEDS_OPERATOR)
        assert only_task(second.engine.state).attempts[0].phase is AttemptPhase.GIVEN_UP


async def given_up(rig: Rig) -> str:
    """A run about which an operator is asked, and whose host can be reached again."""
    run = await begin(rig)
    await rig.hosts[A1].cut()
    await rig.until(lambda s: only_task(s).phase is TaskPhase.NEEDS_OPERATOR)
    await rig.hosts[A1].mend()
    await rig.until(lambda s: only_task(s).attempts[0].late_word is LateWord.RUNS)
    return run


async def test_work_goes_on_while_an_operator_is_asked_about_it() -> None:
    spec = replace(fleet(agent("a1")), lost_after_ms=100)
    async with running(spec) as rig:
        run = await given_up(rig)
        await rig.hosts[A1].finish(run)
        await rig.until(lambda s: only_task(s).attempts[0].late)
        assert isinstance(rig.hosts[A1].done[run], Finished)
        assert only_task(rig.engine.state).phase is TaskPhase.NEEDS_OPERATOR


async def test_work_that_is_to_run_again_is_stopped_first_where_it_still_runs() -> None:
    spec = replace(fleet(agent("a1")), lost_after_ms=100)
    async with running(spec) as rig:
        run = await given_up(rig)
        task = only_task(rig.engine.state).id
        verdict = Resolve(
            task=task, run=RunId(run), verdict=Verdict.RUN_AGAIN, reason="looked at the host"
        )
        await rig.engine.ask("me", verdict)
        await rig.until(lambda s: only_task(s).attempts[0].late_word is LateWord.STOPPED)
        assert rig.hosts[A1].done[run] == Stopped()


async def test_a_run_is_found_again_when_its_agent_returns_to_the_file() -> None:
    hosts = {A1: FakeHost(), AgentName("a2"): FakeHost()}
    whole = fleet(agent("a1"))
    async with running(whole, hosts=hosts) as first:
        run = await begin(first)
        state = first.engine.state
    without = fleet(agent("a2"))
    async with running(without, loaded(state, without), hosts) as second:
        await second.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.UNKNOWN)
        await hosts[A1].finish(run)
        await second.engine.inbox.put(FleetChanged(whole, "me"))
        await second.until(lambda s: bool([*s.ended_tasks()]))
        assert only_task(second.engine.state).phase is TaskPhase.SUCCEEDED


async def test_the_checkpoint_of_a_resumable_run_is_known_before_its_host_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "CHECKPOINT_EVERY_S", 0.02)
    async with running(fleet(agent("a1"))) as rig:
        run = await begin(rig, task_class=TaskClass.RESUMABLE)
        mark = Checkpoint(text=Untrusted("page 7"), sha256="0" * 64)
        rig.hosts[A1].checkpoints[run] = mark
        await rig.until(lambda s: only_task(s).checkpoint == mark)
        await rig.hosts[A1].cut()
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.UNKNOWN)
        assert only_task(rig.engine.state).checkpoint == mark


class Ports:
    """Remembers the ports it made and which of them were closed."""

    def __init__(self, rig: Rig) -> None:
        self.made: list[FakePort] = []
        self.closed: list[FakePort] = []
        self._rig = rig

    def __call__(self, _: FleetSpec, spec: AgentSpec) -> AgentPort:
        assert isinstance(spec.kind, CommandAgent)
        name = AgentName("a2" if spec.kind.command == ("elsewhere",) else "a1")
        closed = self.closed

        class Port(FakePort):
            async def close(self) -> None:
                closed.append(self)

        self.made.append(Port(spec.name, self._rig.hosts[name]))
        return self.made[-1]


async def test_an_agent_that_moves_takes_new_work_there_and_ends_its_runs_here() -> None:
    here, there = FakeHost(), FakeHost()
    async with running(fleet(agent("a2")), hosts={A1: here, AgentName("a2"): there}) as rig:
        rig.port_of = ports = Ports(rig)
        await rig.engine.inbox.put(FleetChanged(fleet(agent("a1")), "me"))
        await rig.until(lambda s: A1 in s.agents)
        first = await begin(rig, 1)
        moved = replace(agent("a1"), kind=CommandAgent(command=("elsewhere",)))
        await rig.engine.inbox.put(FleetChanged(fleet(moved), "me"))
        await rig.until(lambda s: s.fleet.agents[A1] == moved)
        second = await begin(rig, 2)
        assert (here.started, there.started) == ([first], [second])
        assert ports.closed == []
        await here.finish(first)
        await rig.until(lambda s: len([*s.ended_tasks()]) == 1)
        await there.finish(second)
        await rig.until(lambda s: len([*s.ended_tasks()]) == 2)
        assert ports.closed == [ports.made[0]]


async def test_a_cancel_that_comes_while_the_way_is_made_keeps_the_start_from_leaving() -> None:
    connecting, connected = asyncio.Event(), asyncio.Event()

    class Slow(FakePort):
        async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
            connecting.set()
            await connected.wait()
            if not wanted():
                return Definite(CANCELLED_FIRST)
            return await super().start(order, wanted)

    async with running(fleet(agent("a1"))) as rig:
        rig.port_of = lambda _, spec: Slow(spec.name, rig.hosts[A1])
        moved = replace(agent("a1"), kind=CommandAgent(command=("elsewhere",)))
        await rig.engine.inbox.put(FleetChanged(fleet(moved), "me"))
        await rig.until(lambda s: s.fleet.agents.get(A1) == moved)
        await all_up(rig)
        await rig.submit(1, work())
        async with asyncio.timeout(DEADLINE_S):
            await connecting.wait()
        await rig.engine.ask("me", Cancel(tasks=(only_task(rig.engine.state).id,)))
        connected.set()
        state = await rig.until(lambda s: bool([*s.ended_tasks()]))
        (task,) = state.ended_tasks()
        assert task.phase is TaskPhase.CANCELLED
        assert task.attempts[0].phase is AttemptPhase.NOT_STARTED
        assert rig.hosts[A1].started == []


async def test_a_port_that_breaks_off_by_itself_does_not_end_the_following() -> None:
    class Breaking(FakePort):
        async def follow(self, order: RunOrder) -> Outcome:
            raise asyncio.CancelledError

    async with running(fleet(agent("a1"))) as rig:
        rig.port_of = lambda _, spec: Breaking(spec.name, rig.hosts[A1])
        moved = replace(agent("a1"), kind=CommandAgent(command=("elsewhere",)))
        await rig.engine.inbox.put(FleetChanged(fleet(moved), "me"))
        await rig.until(lambda s: s.fleet.agents.get(A1) == moved)
        await all_up(rig)
        await rig.submit(1, work())
        await rig.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.UNKNOWN)
        await rig.hosts[A1].finish(rig.hosts[A1].started[0])
        await rig.until(lambda s: bool([*s.ended_tasks()]))


async def test_the_engine_stops_while_a_follower_takes_its_time_to_hang_up() -> None:
    hanging_up, may_end = asyncio.Event(), asyncio.Event()

    class Slow(FakePort):
        async def follow(self, order: RunOrder) -> Outcome:
            try:
                return await super().follow(order)
            finally:
                hanging_up.set()
                await may_end.wait()

        async def cancel(self, order: RunOrder) -> Inspection:
            raise AssertionError("the engine has stopped")

    async with running(fleet(agent("a1"))) as rig:
        rig.port_of = lambda _, spec: Slow(spec.name, rig.hosts[A1])
        moved = replace(agent("a1"), kind=CommandAgent(command=("elsewhere",)))
        await rig.engine.inbox.put(FleetChanged(fleet(moved), "me"))
        await rig.until(lambda s: s.fleet.agents.get(A1) == moved)
        await begin(rig)
        await rig.engine.ask("me", Cancel(tasks=(only_task(rig.engine.state).id,)))
        async with asyncio.timeout(DEADLINE_S):
            await hanging_up.wait()
            closing = asyncio.create_task(rig.effects.close())
            await asyncio.sleep(0)
            may_end.set()
            await closing


# After a restart, and while an agent says no


def told_of(state: FleetState, task_id: TaskId) -> LateWord | None:
    """What its agent said of a task's first run, on whichever shelf the task is."""
    task = state.task(task_id)
    return None if task is None else task.attempts[0].late_word


@pytest.mark.parametrize("shelf", ["closed_tasks", "unheard_tasks"])
async def test_what_was_given_up_and_cancelled_is_stopped_by_the_next_engine(shelf: str) -> None:
    """Nothing happens to the task any more that would have it looked after, and so many may have
    ended since that it is kept for that run alone."""
    hosts = {A1: FakeHost()}
    spec = replace(fleet(agent("a1")), lost_after_ms=100)
    async with running(spec, hosts=hosts) as first:
        run = await begin(first)
        await hosts[A1].cut()
        await first.until(lambda s: only_task(s).attempts[0].phase is AttemptPhase.UNKNOWN)
        await first.engine.ask("me", Cancel(tasks=(only_task(first.engine.state).id,)))
        state = await first.until(lambda s: only_task(s).phase is TaskPhase.CANCELLED)
    assert only_task(state).attempts[0].phase is AttemptPhase.GIVEN_UP
    ended = state.closed_tasks
    state = replace(state, **{"closed_tasks": {}, shelf: ended})
    await hosts[A1].mend()
    async with running(spec, state, hosts) as second:
        task_id = next(iter(ended))
        await second.until(lambda s: told_of(s, task_id) is LateWord.STOPPED)
        assert hosts[A1].done[run] == Stopped()


async def test_a_run_stays_that_of_the_engine_which_placed_it() -> None:
    """Its host tells by that whether its directory was made anew since then."""
    spec = fleet(agent("a1"))
    async with running(spec) as first:
        run = await begin(first)
        state = first.engine.state
    placed_by = only_task(state).attempts[0].epoch
    began = EngineStarted(epoch=Epoch(7), version="1", pid=1)
    later = fold(state, [Recorded(Seq(state.seq + 1), state.at_ms, Epoch(7), began)])
    assert later.engine.epoch == 7 != placed_by
    order = dispatch.order_of(later, RunId(run))
    assert order is not None
    assert order.epoch == placed_by


async def test_the_next_engine_hears_the_late_result_of_what_was_given_up() -> None:
    hosts = {A1: FakeHost()}
    spec = replace(fleet(agent("a1")), lost_after_ms=100)
    async with running(spec, hosts=hosts) as first:
        run = await given_up(first)
        state = first.engine.state
    await hosts[A1].finish(run)
    async with running(spec, state, hosts) as second:
        await second.until(lambda s: only_task(s).attempts[0].late)
        assert only_task(second.engine.state).phase is TaskPhase.NEEDS_OPERATOR


async def test_a_cancel_that_is_refused_is_asked_for_until_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "ASK_AGAIN", Backoff(base_ms=1, cap_ms=1))
    asked = 0

    class Draining(FakePort):
        async def cancel(self, order: RunOrder) -> Inspection:
            nonlocal asked
            asked += 1
            if asked < 4:
                return Unknown(LostReason.CANNOT_CANCEL, Untrusted("it drains"))
            return await super().cancel(order)

    async with running(fleet(agent("a1"))) as rig:
        rig.port_of = lambda _, spec: Draining(spec.name, rig.hosts[A1])
        moved = replace(agent("a1"), kind=CommandAgent(command=("elsewhere",)))
        await rig.engine.inbox.put(FleetChanged(fleet(moved), "me"))
        await rig.until(lambda s: s.fleet.agents.get(A1) == moved)
        run = await begin(rig)
        await rig.engine.ask("me", Cancel(tasks=(only_task(rig.engine.state).id,)))
        await rig.until(lambda s: only_task(s).phase is TaskPhase.CANCELLED)
        assert rig.hosts[A1].done[run] == Stopped()
        assert asked == 4


async def test_a_cancel_does_not_wait_until_an_agent_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "ASK_AGAIN", Backoff(base_ms=HOUR_MS, cap_ms=HOUR_MS))
    silent = asyncio.Event()

    class Silent(FakePort):
        """It is well, and knows nothing of the run until it is told to stop it."""

        async def follow(self, order: RunOrder) -> Outcome:
            return Unknown(LostReason.BAD_ANSWER)

        async def inspect(self, order: RunOrder) -> Inspection:
            silent.set()
            return Unknown(LostReason.BAD_ANSWER)

    async with running(fleet(agent("a1"))) as rig:
        rig.port_of = lambda _, spec: Silent(spec.name, rig.hosts[A1])
        moved = replace(agent("a1"), kind=CommandAgent(command=("elsewhere",)))
        await rig.engine.inbox.put(FleetChanged(fleet(moved), "me"))
        await rig.until(lambda s: s.fleet.agents.get(A1) == moved)
        await all_up(rig)
        await rig.submit(1, work())
        await rig.until(
            lambda s: (
                only_task(s).attempts[:1] != ()
                and only_task(s).attempts[0].phase is AttemptPhase.UNKNOWN
            )
        )
        await rig.engine.ask("me", Cancel(tasks=(only_task(rig.engine.state).id,)))
        await rig.until(lambda s: only_task(s).phase is TaskPhase.CANCELLED)


async def test_an_agent_is_reached_anew_when_what_it_is_reached_through_changes() -> None:
    """Its own lines in the fleet file may be what they were."""

    def behind(address: str) -> FleetSpec:
        inner = HostSpec(name=HostName("inner"), address="inner", jump=HostName("bastion"))
        bastion = HostSpec(name=HostName("bastion"), address=address)
        return replace(
            fleet(replace(agent("a1"), host=inner.name)),
            hosts={host.name: host for host in (inner, bastion)},
        )

    made: list[str] = []
    async with running(behind("old"), hosts={A1: FakeHost()}) as rig:

        def port_of(spec: FleetSpec, _: AgentSpec) -> AgentPort:
            made.append(spec.hosts[HostName("bastion")].address)
            return FakePort(A1, rig.hosts[A1])

        rig.port_of = port_of
        await all_up(rig)
        for address in ("old", "new", "new", "newer"):
            await rig.engine.inbox.put(FleetChanged(behind(address), "me"))
        await rig.until(
            lambda s: bool(s.fleet.hosts) and s.fleet.hosts[HostName("bastion")].address == "newer"
        )
        assert made[-1] == "newer"
        assert made.count("newer") == 1
