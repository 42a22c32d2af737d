"""What differs between two moments of a fleet."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.diff import HIDDEN, About, Change, Moments, diff
from fleet_tui.core.fleet import CommandAgent, FleetSpec, ResidencyRule, Strategy
from fleet_tui.core.ids import AgentName, AlertId, Epoch, PoolName, Region, RunId, TaskId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState, Totals
from fleet_tui.core.modes import EngineMode, EngineState, ModeNow
from fleet_tui.core.routing.decision import Pending, PendingCode, RoutingDecision
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task, TaskPhase
from tests.support.fleets import agent, fleet, work

FROM_MS, TO_MS = 1_000_000, 2_000_000
A1 = AgentName("a1")
DECISION = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="0", considered=1)


def between(before: FleetState, after: FleetState) -> list[Change]:
    return diff(Moments(before=before, after=after, before_ms=FROM_MS, after_ms=TO_MS))


def told(before: FleetState, after: FleetState) -> list[tuple[str, str, str | None, str | None]]:
    return [(c.name, c.field, c.before, c.after) for c in between(before, after)]


def with_agent(**fields: Any) -> FleetState:
    made = AgentState(**{"name": A1, "health": Health.UP, "version": "1", **fields})
    return replace(EMPTY_STATE, agents={A1: made})


def alert(severity: Severity = Severity.WARN, **fields: Any) -> Alert:
    given = {"id": AlertId("i"), "subject": "a1", "text": "down", "raised_at_ms": 5, **fields}
    return Alert(severity=severity, **given)


def with_alerts(*alerts: Alert, over: tuple[Alert, ...] = ()) -> FleetState:
    return replace(EMPTY_STATE, alerts={a.id: a for a in alerts}, closed_alerts=over)


def with_task(phase: TaskPhase, **fields: Any) -> FleetState:
    task = Task(
        id=TaskId("T1"),
        number=1,
        key="k",
        spec=work(),
        by="me",
        submitted_at_ms=1,
        payload_sha256="",
        phase=phase,
        **fields,
    )
    return replace(EMPTY_STATE, open_tasks={task.id: task})


# --- agents ---


def test_nothing_differs_from_itself() -> None:
    state = with_agent()
    assert between(state, state) == []


def test_a_new_state_is_told_with_its_reason() -> None:
    lost = with_agent(health=Health.DOWN, reason="its gateway is not running")
    (change,) = between(with_agent(), lost)
    assert change == Change(
        about=About.AGENT,
        name="a1",
        field="state",
        before="up",
        after="down: its gateway is not running",
        is_worse=True,
    )
    (back,) = between(lost, with_agent(reason="answers again"))
    assert (back.before, back.after, back.is_worse) == ("down", "up", False)


def test_another_reason_for_the_same_state_is_no_change() -> None:
    one = with_agent(health=Health.DOWN, reason="refused")
    assert between(one, with_agent(health=Health.DOWN, reason="no answer")) == []


@pytest.mark.parametrize(
    ("was", "now", "is_worse"),
    [
        (Health.UP, Health.DEGRADED, True),
        (Health.DEGRADED, Health.DOWN, True),
        (Health.DOWN, Health.DEGRADED, False),
        (Health.UP, Health.RETIRED, False),
        (Health.DOWN, Health.UNREACHABLE, False),
    ],
)
def test_worse_is_what_needs_eyes_more_than_before(
    was: Health, now: Health, *, is_worse: bool
) -> None:
    (change,) = between(with_agent(health=was), with_agent(health=now))
    assert change.is_worse is is_worse


def test_a_problem_without_a_reason_is_its_word() -> None:
    (change,) = between(with_agent(), with_agent(health=Health.DOWN))
    assert change.after == "down"


@pytest.mark.parametrize(("health", "is_worse"), [(Health.UP, False), (Health.DOWN, True)])
def test_an_agent_that_came(health: Health, *, is_worse: bool) -> None:
    after = with_agent(health=health, version=None)
    (change,) = between(EMPTY_STATE, after)
    assert (change.name, change.before, change.after) == ("a1", None, health.value)
    assert change.is_worse is is_worse


def test_an_agent_that_went() -> None:
    assert told(with_agent(version=None), EMPTY_STATE) == [("a1", "state", "up", None)]


def test_versions_boots_and_cordons() -> None:
    cordon = CordonRecord(by="ops", reason="new disk", since_ms=1)
    after = with_agent(version="2", boot_id="b2", cordon=cordon)
    assert told(with_agent(boot_id="b1"), after) == [
        ("a1", "state", "up", "cordoned"),
        ("a1", "restarted", None, "yes"),
        ("a1", "version", "1", "2"),
        ("a1", "cordon", None, "by ops: new disk"),
    ]
    bare = with_agent(cordon=replace(cordon, reason=""))
    assert ("a1", "cordon", "by ops", None) in told(bare, with_agent())


@pytest.mark.parametrize(("was", "now"), [(None, "b"), ("b", None), ("b", "b")])
def test_an_agent_that_first_tells_its_boot_did_not_restart(
    was: str | None, now: str | None
) -> None:
    assert between(with_agent(boot_id=was), with_agent(boot_id=now)) == []


def test_the_worst_agents_come_first_and_then_names() -> None:
    def state(**healths: Health) -> FleetState:
        agents = {AgentName(n): AgentState(name=AgentName(n), health=h) for n, h in healths.items()}
        return replace(EMPTY_STATE, agents=agents)

    before = state(a=Health.DOWN, c=Health.UP, b=Health.DOWN)
    after = state(a=Health.UP, c=Health.DOWN, b=Health.UP)
    assert [c.name for c in between(before, after)] == ["c", "a", "b"]


# --- alerts ---


def test_an_alert_is_raised_acked_and_resolved() -> None:
    quiet, loud = with_alerts(), with_alerts(alert())
    (raised,) = between(quiet, loud)
    assert (raised.about, raised.name, raised.field) == (About.ALERT, "a1", "down")
    assert (raised.before, raised.after, raised.is_worse) == (None, "warn", True)
    acked = with_alerts(alert(acked_by="ops"))
    (change,) = between(loud, acked)
    assert (change.before, change.after, change.is_worse) == ("warn", "warn, acked by ops", False)
    over = with_alerts(over=(alert(resolved_at_ms=9),))
    (change,) = between(loud, over)
    assert (change.before, change.after, change.is_worse) == ("warn", "warn, resolved", False)


def test_an_alert_that_came_and_went_is_told() -> None:
    brief = alert(raised_at_ms=FROM_MS + 1, resolved_at_ms=FROM_MS + 2)
    assert told(with_alerts(), with_alerts(over=(brief,))) == [
        ("a1", "down", None, "warn, resolved")
    ]


def test_an_alert_that_was_over_before_is_not() -> None:
    old = alert(raised_at_ms=FROM_MS, resolved_at_ms=FROM_MS)
    assert between(with_alerts(), with_alerts(over=(old,))) == []


def test_an_alert_that_is_forgotten_is_over() -> None:
    assert told(with_alerts(alert()), with_alerts()) == [("a1", "down", "warn", None)]


def test_an_alert_that_came_back_is_as_it_is_now() -> None:
    over = (alert(resolved_at_ms=9),)
    state = with_alerts(alert(), over=over)
    assert between(with_alerts(alert()), state) == []


def test_louder_is_worse_and_info_never() -> None:
    warn, crit = with_alerts(alert()), with_alerts(alert(Severity.CRIT))
    assert [c.is_worse for c in between(warn, crit)] == [True]
    assert [c.is_worse for c in between(crit, warn)] == [False]
    assert [c.is_worse for c in between(with_alerts(), with_alerts(alert(Severity.INFO)))] == [
        False
    ]


def test_the_loudest_alerts_come_first_and_then_subjects() -> None:
    after = with_alerts(
        alert(id=AlertId("1"), subject="b"),
        alert(Severity.CRIT, id=AlertId("2"), subject="c"),
        alert(id=AlertId("3"), subject="a"),
    )
    assert [c.name for c in between(with_alerts(), after)] == ["c", "a", "b"]


# --- the fleet file ---


def file(spec: FleetSpec) -> FleetState:
    return replace(EMPTY_STATE, fleet=spec)


def test_a_key_of_the_file_is_told_by_its_path() -> None:
    before, after = fleet(agent("a1")), fleet(agent("a1", slots=3, region="eu"))
    after = replace(
        after,
        pools={
            n: replace(p, strategy=Strategy.ROUND_ROBIN, overflow=True)
            for n, p in after.pools.items()
        },
    )
    assert told(file(before), file(after)) == [
        ("pools.general.strategy", "", "load-aware", "round-robin"),
        ("pools.general.overflow", "", "False", "True"),
        ("agents.a1.slots", "", "2", "3"),
        ("agents.a1.region", "", None, "eu"),
    ]
    assert {c.about for c in between(file(before), file(after))} == {About.FLEET_FILE}


def test_sets_are_told_in_order_and_lists_as_they_are() -> None:
    before = agent("a1", capabilities=("z", "b"), clients=("y", "c"))
    after = agent("a1", capabilities=("a", "z"), clients=())
    assert told(file(fleet(before)), file(fleet(after))) == [
        ("agents.a1.capabilities", "", "b, z", "a, z"),
        ("agents.a1.clients", "", "y, c", None),
    ]


def test_a_thing_that_came_or_went_is_told_once() -> None:
    one, two = fleet(agent("a1")), fleet(agent("a1"), agent("a2"))
    assert told(file(one), file(two)) == [("agents.a2", "", None, "declared")]
    assert told(file(two), file(one)) == [("agents.a2", "", "declared", None)]


def test_another_kind_of_agent_is_told_with_its_fields() -> None:
    spec = agent("a1")
    other = replace(spec, kind=CommandAgent(command=("cat", "-v"), log_file="/l"))
    assert told(file(fleet(spec)), file(fleet(other))) == [
        ("agents.a1.kind.command", "", "cat", "cat, -v"),
        ("agents.a1.kind.log_file", "", None, "/l"),
    ]


def test_values_of_variables_are_not_told_and_their_change_is() -> None:
    def with_env(**env: str) -> FleetState:
        return file(fleet(replace(agent("a1"), kind=CommandAgent(command=("cat",), env=env))))

    assert told(with_env(A="one", B="same"), with_env(A="two", B="same")) == [
        ("agents.a1.kind.env.A", "", HIDDEN, HIDDEN)
    ]
    for value in ("one", ""):
        new = told(with_env(), with_env(A=value))
        assert new == [("agents.a1.kind.env.A", "", None, HIDDEN)]


def test_rules_of_residency_are_told_by_their_place() -> None:
    def bound(*regions: str) -> FleetState:
        rule = ResidencyRule(regions=tuple(map(Region, regions)), line=len(regions))
        return file(fleet(agent("a1"), residency=(rule,)))

    assert told(bound("eu"), bound("eu", "us")) == [
        ("residency.1.regions", "", "eu", "eu, us"),
        ("residency.1.line", "", "1", "2"),
    ]


def test_where_a_file_was_read_from_is_no_change() -> None:
    spec = fleet(agent("a1"))
    assert between(file(spec), file(replace(spec, source="/x", digest="d"))) == []


# --- the engine, work, routing ---


def test_the_engine_is_told() -> None:
    before = replace(EMPTY_STATE, engine=EngineState(epoch=Epoch(1), version="1"))
    hold = ModeNow(mode=EngineMode.FROZEN)
    engine = EngineState(epoch=Epoch(2), version="2", mode=hold, file_problem="line 3")
    after = replace(EMPTY_STATE, engine=engine, braked_pools={PoolName("p"): "3 lost"})
    assert told(before, after) == [
        ("", "starts", "1", "2"),
        ("", "version", "1", "2"),
        ("", "mode", "normal", "frozen"),
        ("", "fleet file", None, "line 3"),
        ("p", "failover stopped", None, "3 lost"),
    ]
    assert told(after, before)[-1] == ("p", "failover stopped", "3 lost", None)
    assert {c.about for c in between(before, after)} == {About.ENGINE}
    first = between(EMPTY_STATE, before)
    assert ("", "version", None, "1") in [(c.name, c.field, c.before, c.after) for c in first]


def test_work_is_told_in_numbers() -> None:
    totals = Totals(
        submitted=1_200,
        succeeded=2,
        failed=3,
        expired=4,
        cancelled=5,
        dropped=6,
        cost_microusd=1_500_000,
    )
    waiting = with_task(TaskPhase.WAITING)
    after = replace(waiting, dead_letters=waiting.open_tasks, totals=totals)
    assert told(EMPTY_STATE, after) == [
        ("", "waiting", "0", "1"),
        ("", "dead letters", "0", "1"),
        ("", "submitted", "0", "1 200"),
        ("", "succeeded", "0", "2"),
        ("", "failed", "0", "3"),
        ("", "expired", "0", "4"),
        ("", "cancelled", "0", "5"),
        ("", "dropped", "0", "6"),
        ("", "cost", "$0.00", "$1.50"),
    ]
    assert {c.about for c in between(EMPTY_STATE, after)} == {About.WORK}


def test_open_work_is_told_by_what_becomes_of_it() -> None:
    held = Pending(code=PendingCode.PIN, since_ms=0)
    attempt = Attempt(
        run_id=RunId("T.1"), number=1, agent=A1, planned_at_ms=1, decision=DECISION,
        phase=AttemptPhase.RUNNING,
    )  # fmt: skip
    lost = replace(attempt, phase=AttemptPhase.UNKNOWN)
    for state, fields in (
        (with_task(TaskPhase.WAITING, pending=held), ["waiting", "held"]),
        (with_task(TaskPhase.ACTIVE, attempts=(attempt,)), ["running"]),
        (with_task(TaskPhase.ACTIVE, attempts=(lost,)), ["unknown"]),
        (with_task(TaskPhase.NEEDS_OPERATOR), ["need a verdict"]),
    ):
        assert told(EMPTY_STATE, state) == [("", field, "0", "1") for field in fields]
        assert told(state, EMPTY_STATE) == [("", field, "1", "0") for field in fields]


def test_where_runs_ended_the_most_first() -> None:
    def state(**runs: tuple[int, int]) -> FleetState:
        agents = {
            AgentName(n): AgentState(name=AgentName(n), succeeded=good, failed=bad)
            for n, (good, bad) in runs.items()
        }
        return replace(EMPTY_STATE, agents=agents)

    before = state(a=(1, 0), b=(0, 0), c=(5, 5))
    after = state(a=(2, 1), b=(1_000, 2), c=(5, 5))
    assert [c for c in told(before, after) if not c[1]] == [
        ("b", "", "0", "1 002"),
        ("a", "", "1", "3"),
    ]
    (new,) = [c for c in told(EMPTY_STATE, state(a=(2, 0))) if not c[1]]
    assert new == ("a", "", "0", "2")


def test_all_sorts_have_a_heading_and_come_in_their_order() -> None:
    assert len({about.heading for about in About}) == len(About)
    before = replace(EMPTY_STATE, fleet=fleet(agent("a1")))
    after = replace(
        with_alerts(alert()),
        agents=with_agent(succeeded=1).agents,
        fleet=fleet(agent("a1", slots=9)),
        engine=EngineState(epoch=Epoch(1)),
        totals=Totals(submitted=1),
    )
    found = list(dict.fromkeys(change.about for change in between(before, after)))
    assert found == list(About)


@given(st.sampled_from(Health), st.sampled_from(Health), st.integers(0, 5), st.integers(0, 5))
def test_both_ways_tell_the_same_fields(was: Health, now: Health, a: int, b: int) -> None:
    one, two = with_agent(health=was, succeeded=a), with_agent(health=now, succeeded=b)
    there, back = between(one, two), between(two, one)
    assert {(c.name, c.field) for c in there if c.about is About.AGENT} == {
        (c.name, c.field) for c in back if c.about is About.AGENT
    }


def test_each_sort_of_change_has_a_heading_and_some_name_an_agent() -> None:
    assert [about.heading for about in About] == [
        "Alerts", "Agents", "Fleet file", "Engine", "Work", "Runs ended, by agent",
    ]  # fmt: skip
    assert {about for about in About if about.names_agent} == {About.AGENT, About.ROUTING}
