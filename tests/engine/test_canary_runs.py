"""An engine carries canary runs to their agents, whatever happens to it meanwhile."""

from collections.abc import Sequence

from msgspec.structs import replace

from fleet_tui.core.agents.canary import PAYLOAD, canary_run_id
from fleet_tui.core.agents.commands import Uncordon
from fleet_tui.core.agents.events import AgentTripped, CanaryEnded, CanaryStarted
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.evidence import Finished
from fleet_tui.core.tasks.model import Task
from fleet_tui.engine.leftovers import Leftovers
from tests.engine.rig import Rig, running
from tests.support.fleets import agent, fleet
from tests.support.memory import FakeHost

A1 = AgentName("a1")
SPEC = fleet(replace(agent("a1"), canary=True))
MODEL_FAILS = Finished(ok=False, failure="model-error")


def failing(spec: FleetSpec = SPEC) -> FleetState:
    """A fleet whose agent is out for what it failed, and may be tried at once."""
    events: list[Event] = [
        FleetLoaded(spec=spec),
        AgentTripped(agent=A1, reason="3 runs in a row failed", until_ms=0),
    ]
    return fold(EMPTY_STATE, [Recorded(Seq(n), 1, Epoch(1), e) for n, e in enumerate(events, 1)])


def a1(state: FleetState) -> AgentState:
    return state.agents[A1]


async def begun(rig: Rig) -> str:
    """The canary run that its agent was told to do."""
    state = await rig.until(lambda s: a1(s).canary is not None and bool(rig.hosts[A1].started))
    canary = a1(state).canary
    assert canary is not None
    assert rig.hosts[A1].started == [canary.run]
    return canary.run


async def test_an_agent_comes_back_when_it_goes_well() -> None:
    async with running(SPEC, failing()) as rig:
        run = await begun(rig)
        assert rig.hosts[A1].payloads[run] == PAYLOAD.raw
        await rig.hosts[A1].finish(run)
        state = await rig.until(lambda s: a1(s).in_service)
        assert (a1(state).cost_microusd, state.totals.cost_microusd) == (1_000, 1_000)
        assert not state.ended_count


async def test_an_agent_stays_out_when_it_fails() -> None:
    async with running(SPEC, failing()) as rig:
        run = await begun(rig)
        await rig.hosts[A1].finish(run, MODEL_FAILS)
        state = await rig.until(lambda s: a1(s).canary is None)
        assert not a1(state).in_service
        assert (
            a1(state).reason == "its work failed, and 1 trial since: its model failed (model-error)"
        )


async def test_the_next_engine_follows_it_and_never_starts_it_again() -> None:
    hosts = {A1: FakeHost()}
    async with running(SPEC, failing(), hosts) as first:
        run = await begun(first)
        state = first.engine.state
    async with running(SPEC, state, hosts) as second:
        await hosts[A1].finish(run)
        await second.until(lambda s: a1(s).in_service)
        assert hosts[A1].started == [run]


async def test_one_that_was_decided_by_a_dead_engine_and_never_left_is_fenced() -> None:
    hosts = {A1: FakeHost()}
    async with running(SPEC, failing(), hosts) as first:
        run = await begun(first)
        state = first.engine.state
    hosts[A1].started.clear()  # the start never left
    async with running(SPEC, state, hosts) as second:
        await second.until(lambda s: a1(s).canary is None)
        assert hosts[A1].fenced == {run}
        assert hosts[A1].started == []


async def test_it_is_followed_and_paid_where_its_agent_is_trusted_meanwhile() -> None:
    async with running(SPEC, failing()) as rig:
        run = await begun(rig)
        await rig.engine.ask("me", Uncordon(agents=(A1,)))
        await rig.until(lambda s: a1(s).in_service)
        await rig.hosts[A1].finish(run)
        state = await rig.until(lambda s: a1(s).canary is None)
        assert a1(state).in_service
        assert state.totals.cost_microusd == 1_000


async def nothing(tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
    return {}


def test_its_session_is_forgotten_once_it_is_over() -> None:
    """By the next engine once more: it does not know that it was."""
    under_way = tried(failing())
    run = canary_run_id(A1, 5)
    ended = CanaryEnded(agent=A1, run=run, ok=False)
    over = fold(under_way, [Recorded(Seq(under_way.seq + 1), 6, Epoch(1), ended)])
    for _ in ("this engine", "the next one"):
        left = Leftovers(nothing)
        left.follow(EMPTY_STATE, under_way)
        assert left.due(under_way, A1, 5) == []
        assert left.due(over, A1, 6) == [run]
        left.gone(run)
        assert left.due(over, A1, 6) == []
        gone = replace(over, agents={})
        assert left.due(gone, A1, 6) == []


def test_its_session_is_forgotten_where_its_agent_left_the_fleet_file_and_came_back() -> None:
    run = canary_run_id(A1, 5)
    events: list[Event] = [
        CanaryEnded(agent=A1, run=run, ok=True),
        FleetLoaded(spec=fleet(agent("other")), by="me"),
        FleetLoaded(spec=SPEC, by="me"),
    ]
    left, state = Leftovers(nothing), tried(failing())
    for event in events:
        after = fold(state, [Recorded(Seq(state.seq + 1), 6, Epoch(1), event)])
        left.follow(state, after)
        state = after
    assert left.due(state, A1, 6) == [run]
    left.gone(run)
    assert left.due(state, A1, 6) == []


def tried(state: FleetState) -> FleetState:
    """It, while a canary run tries its agent."""
    started = CanaryStarted(agent=A1, run=canary_run_id(A1, 5))
    return fold(state, [Recorded(Seq(state.seq + 1), 5, Epoch(1), started)])
