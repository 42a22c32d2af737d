"""The fleet in numbers: what counts, since when, and what nobody can tell."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import CanaryRun
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.vitals import FleetSample
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.fleet import Prices, Priority, Strategy
from fleet_tui.core.ids import AgentName, AlertId, PoolName, RunId, Seq, TaskId, run_id
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.routing.decision import Pending, PendingCode, RoutingDecision
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.status import (
    RATE_WINDOW_MS,
    TREND_WINDOW_MS,
    percentile,
    sample_of,
    summarize,
    trend_per_minute,
)
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.open_work import OpenWork
from tests.support.fleets import agent, fleet, work

NOW_MS = 100_000_000
SINCE_MS = NOW_MS - RATE_WINDOW_MS
HELD = Pending(code=PendingCode.PIN, since_ms=0)
DECISION = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="0", considered=1)


def attempt(phase: AttemptPhase, planned_ms: int, ran_ms: int = 0, cost: int = 0) -> Attempt:
    started_ms = planned_ms + 10
    return Attempt(
        run_id=RunId("T.1"),
        number=1,
        agent=AgentName("a1"),
        phase=phase,
        planned_at_ms=planned_ms,
        decision=DECISION,
        started_at_ms=started_ms,
        ended_at_ms=started_ms + ran_ms,
        cost_microusd=cost,
    )


def task(number: int, phase: TaskPhase, submitted_ms: int, *attempts: Attempt) -> Task:
    return Task(
        id=TaskId(f"T{number}"),
        number=number,
        key=f"k{number}",
        spec=work(),
        by="me",
        submitted_at_ms=submitted_ms,
        payload_sha256="",
        phase=phase,
        attempts=attempts,
    )


def ended(phase: TaskPhase, ended_ms: int | None, submitted_ms: int, *attempts: Attempt) -> Task:
    return replace(task(1, phase, submitted_ms, *attempts), ended_at_ms=ended_ms)


def closed(*tasks: Task) -> FleetState:
    return replace(EMPTY_STATE, closed_tasks={TaskId(f"C{n}"): t for n, t in enumerate(tasks)})


def opened(*tasks: Task) -> FleetState:
    return replace(EMPTY_STATE, open_tasks={t.id: t for t in tasks})


@given(st.lists(st.integers(), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_least_value_that_covers_its_share(
    values: list[int], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


def test_percentiles_of_few_values() -> None:
    assert percentile([], 0.95) is None
    assert percentile([5], 0) == 5
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(1, 101), 0.95) == 95


def sample(at_ms: int, depth: int) -> FleetSample:
    return FleetSample(at_ms=at_ms, waiting=(0, depth, 0, 0))


def test_the_trend_is_from_the_first_to_the_last_sample_of_its_window() -> None:
    begin_ms = NOW_MS - TREND_WINDOW_MS
    outside = sample(begin_ms - 1, 900), sample(NOW_MS + 1, 900)
    within = sample(begin_ms, 2), sample(begin_ms, 7), sample(NOW_MS - 1, 70), sample(NOW_MS, 8)
    samples = [outside[0], *within, outside[1]]
    assert trend_per_minute(samples, NOW_MS) == 3.0
    assert trend_per_minute([within[0], within[-1]], NOW_MS) == 3.0
    assert trend_per_minute([within[-1]], NOW_MS) is None
    assert trend_per_minute(within[:2], NOW_MS) is None, "no time has passed between them"
    assert trend_per_minute(outside, NOW_MS) is None
    assert trend_per_minute([within[-1], within[0]], NOW_MS) is None, "a clock was set back"
    assert summarize(EMPTY_STATE, NOW_MS, samples).queue_trend_per_minute == 3.0


def test_agents_and_their_slots_are_counted() -> None:
    priced = replace(agent("a1", slots=2), prices=Prices(per_hour_microusd=70))
    runs = [run_id(TaskId("T"), n) for n in range(1, 5)]
    names = [AgentName(f"a{n}") for n in range(1, 4)]
    cordon = CordonRecord(by="me", reason="", since_ms=0)
    state = replace(
        EMPTY_STATE,
        fleet=fleet(priced, agent("a2", slots=3), agent("a3", slots=4)),
        agents={
            names[0]: AgentState(name=names[0], health=Health.UP, runs=frozenset(runs[:3])),
            names[1]: AgentState(
                name=names[1], health=Health.UP, cordon=cordon, runs=frozenset(runs[3:])
            ),
            names[2]: AgentState(name=names[2], health=Health.DOWN),
        },
    )
    found = summarize(state, NOW_MS)
    assert (found.agents, found.cordoned, found.in_service) == (3, 1, 1)
    assert found.by_health == {Health.UP: 2, Health.DOWN: 1}
    assert (found.slots, found.slots_used) == (9, 4)
    assert found.cost_microusd_per_hour == 70
    pulse = sample_of(state, NOW_MS)
    assert (pulse.up, pulse.agents) == (2, 3)


def test_open_work_is_counted_by_where_it_stands() -> None:
    spec = work(pool="gpu", priority=Priority.P1)
    runs = attempt(AttemptPhase.RUNNING, NOW_MS)
    state = opened(
        replace(task(1, TaskPhase.WAITING, NOW_MS - 5_000), spec=spec),
        replace(task(2, TaskPhase.WAITING, NOW_MS - 2_000), pending=HELD),
        task(3, TaskPhase.ACTIVE, 0, runs),
        task(4, TaskPhase.ACTIVE, 0, runs),
        task(5, TaskPhase.ACTIVE, 0, replace(runs, phase=AttemptPhase.UNKNOWN)),
        task(6, TaskPhase.NEEDS_OPERATOR, 0),
    )
    found = summarize(state, NOW_MS, work=OpenWork())
    assert (found.waiting, found.held, found.running, found.unknown) == (2, 1, 2, 1)
    assert found.needs_operator == 1
    by_priority = {Priority.P0: 0, Priority.P1: 1, Priority.P2: 1, Priority.P3: 0}
    assert found.waiting_by_priority == by_priority
    assert found.waiting_by_pool == {PoolName("gpu"): 1}
    assert found.oldest_wait_ms == 5_000
    assert sample_of(state, NOW_MS) == FleetSample(
        at_ms=NOW_MS, waiting=(0, 1, 1, 0), running=3, waiting_by_pool={PoolName("gpu"): 1}
    )


def test_a_clock_that_was_set_back_makes_no_wait_negative() -> None:
    placed = attempt(AttemptPhase.RUNNING, NOW_MS)
    state = opened(
        task(1, TaskPhase.WAITING, NOW_MS + 5_000),
        task(2, TaskPhase.ACTIVE, NOW_MS + 9_000, placed),
    )
    found = summarize(state, NOW_MS)
    assert found.oldest_wait_ms == 0
    assert set(found.wait_ms_p95_by_priority.values()) == {0}


def test_rates_are_of_what_ended_in_the_window() -> None:
    begun_ms = NOW_MS - 600_000
    well = attempt(AttemptPhase.SUCCEEDED, begun_ms + 30, ran_ms=400, cost=1_000_000)
    state = closed(
        ended(TaskPhase.SUCCEEDED, SINCE_MS, begun_ms, well),
        ended(TaskPhase.SUCCEEDED, NOW_MS, begun_ms, well),
        ended(TaskPhase.FAILED, NOW_MS, begun_ms, replace(well, phase=AttemptPhase.FAILED)),
        ended(TaskPhase.EXPIRED, NOW_MS, begun_ms),
        ended(TaskPhase.CANCELLED, NOW_MS, begun_ms),
        ended(TaskPhase.FAILED, SINCE_MS - 1, begun_ms, replace(well, cost_microusd=7)),
        ended(TaskPhase.FAILED, None, begun_ms),
    )
    found = summarize(state, NOW_MS)
    assert found.error_rate == 2 / 4
    assert found.tasks_per_minute == 5 / 10
    assert found.cost_microusd_per_hour == 3_000_000 * 6
    assert found.run_ms_p95 == 400
    assert found.wait_ms_p95_by_priority == {Priority.P2: 30}


def test_canary_runs_of_the_window_are_paid_for_too() -> None:
    def canary(ended_at_ms: int | None, **cost: Any) -> CanaryRun:
        return CanaryRun(run=RunId("c.1"), since_ms=1, ended_at_ms=ended_at_ms, **cost)

    def told(*canaries: CanaryRun) -> tuple[int, bool]:
        agent = AgentState(name=AgentName("a1"), canaries=canaries)
        status = summarize(FleetState(agents={agent.name: agent}), NOW_MS)
        return status.cost_microusd_per_hour, status.has_unknown_cost

    first_ms = SINCE_MS
    unknown = canary(first_ms, cost_microusd=4, has_unknown_cost=True)
    assert told(canary(None, has_unknown_cost=True)) == (0, False)
    assert told(canary(first_ms - 1, cost_microusd=9, has_unknown_cost=True)) == (0, False)
    assert told(canary(NOW_MS, cost_microusd=3)) == (3 * 4, False), "over the window"
    fresh = replace(canary(NOW_MS, cost_microusd=3), since_ms=NOW_MS - 30_000)
    assert told(fresh) == (3 * 60, False), "over a minute at the least"
    assert told(unknown, canary(NOW_MS, cost_microusd=3)) == (7 * 4, True)


def test_a_rate_looks_back_no_further_than_its_window_and_no_less_than_a_minute() -> None:
    spent = attempt(AttemptPhase.SUCCEEDED, NOW_MS, cost=1_000_000)
    for submitted_ms, minutes in ((0, 15), (SINCE_MS, 15), (NOW_MS - 10, 1), (NOW_MS, 1)):
        found = summarize(closed(ended(TaskPhase.SUCCEEDED, NOW_MS, submitted_ms, spent)), NOW_MS)
        assert found.tasks_per_minute == 1 / minutes
        assert found.cost_microusd_per_hour == 60_000_000 // minutes


def test_what_nobody_can_tell_is_none() -> None:
    found = summarize(EMPTY_STATE, NOW_MS)
    assert found.error_rate is None
    assert found.run_ms_p95 is None
    assert found.oldest_wait_ms is None
    assert found.queue_trend_per_minute is None
    assert (found.tasks_per_minute, found.decisions_per_minute) == (0, 0)
    assert (found.slots_used, found.cost_microusd_per_hour) == (0, 0)


def test_waits_are_of_first_placements_in_the_window() -> None:
    placed = attempt(AttemptPhase.RUNNING, SINCE_MS)
    later = replace(placed, planned_at_ms=NOW_MS)
    state = opened(
        task(1, TaskPhase.ACTIVE, SINCE_MS - 20, placed),
        task(2, TaskPhase.ACTIVE, 0, replace(placed, planned_at_ms=SINCE_MS - 1), later),
        task(3, TaskPhase.WAITING, 0),
    )
    assert summarize(state, NOW_MS).wait_ms_p95_by_priority == {Priority.P2: 20}


@pytest.mark.parametrize(
    "last",
    [
        attempt(AttemptPhase.FAILED, NOW_MS, ran_ms=5),
        replace(attempt(AttemptPhase.SUCCEEDED, NOW_MS), started_at_ms=None),
        replace(attempt(AttemptPhase.SUCCEEDED, NOW_MS), ended_at_ms=None),
    ],
)
def test_only_runs_that_ended_well_have_a_duration(last: Attempt) -> None:
    state = closed(ended(TaskPhase.FAILED, NOW_MS, NOW_MS, last))
    assert summarize(state, NOW_MS).run_ms_p95 is None


def test_decisions_of_the_last_minute_are_counted() -> None:
    record = DecisionRecord(
        seq=Seq(1),
        at_ms=NOW_MS,
        task=TaskId("T"),
        task_number=1,
        priority=Priority.P2,
        decision=DECISION,
        attempt=1,
    )
    times = (NOW_MS - 60_001, NOW_MS - 60_000, NOW_MS)
    state = replace(EMPTY_STATE, decisions=tuple(replace(record, at_ms=at) for at in times))
    assert summarize(state, NOW_MS).decisions_per_minute == 2


def test_a_fleet_is_healthy_while_nothing_needs_anybody() -> None:
    def alerting(*severities: Severity) -> FleetState:
        alerts = {
            AlertId(f"x:{n}"): Alert(id=AlertId(f"x:{n}"), severity=s, subject="x", text="y")
            for n, s in enumerate(severities)
        }
        return replace(EMPTY_STATE, alerts=alerts)

    loud = summarize(alerting(Severity.CRIT, Severity.WARN, Severity.WARN), NOW_MS)
    assert (loud.alerts_open, loud.alerts_crit) == (3, 1)
    assert not loud.is_healthy
    assert not summarize(alerting(*[Severity.CRIT] * 2), NOW_MS).is_healthy
    assert summarize(alerting(Severity.WARN), NOW_MS).is_healthy
    assert not summarize(opened(task(1, TaskPhase.NEEDS_OPERATOR, 0)), NOW_MS).is_healthy
