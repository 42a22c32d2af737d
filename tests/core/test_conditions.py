"""Which condition of agents, pools, runs and queue is an alert, from when, and in which words."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.vitals import FailureKind, ModelTrouble
from fleet_tui.core.alerting.alerts import (
    Condition,
    conditions,
    is_out_of_service,
    reconcile_alerts,
    reconcile_troubles,
)
from fleet_tui.core.alerting.events import AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.alerting.rules import severity_of
from fleet_tui.core.engine.events import EngineTroubled
from fleet_tui.core.ids import AgentName, AlertId, TaskId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.modes import TROUBLES, EngineMode, EngineState, ModeNow, Trouble
from fleet_tui.core.routing.decision import Pending, PendingCode
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from tests.support.fleets import agent, fleet
from tests.support.midway import A1, A2, FAILED, GENERAL, GPU, RUNNING, WAITING

NOW_MS = 10_000_000
SAID = Untrusted("what it says")
CORDON = CordonRecord(by="me", reason="repair", since_ms=1)
BREAKER = Breaker(
    since_ms=1,
    until_ms=2,
    harmless=True,
    reason="refused 3 in a row",
    detail=SAID,
    hit=(TaskId("T"),),
)


def one(**known: object) -> AgentState:
    """An agent that is up, but for what is said."""
    fields: dict[str, object] = {"name": A1, "health": Health.UP, "reason": "so", "detail": SAID}
    return AgentState(**(fields | known))  # type: ignore[arg-type]  # checked by the struct


def told(state: FleetState) -> dict[str, Condition]:
    """What deserves an alert now, by its id."""
    return {str(alert): condition for alert, condition in conditions(state, NOW_MS).items()}


def found(*agents: AgentState, **changes: object) -> dict[str, Condition]:
    """What deserves an alert in a fleet of these agents, all of one pool."""
    spec = fleet(*(agent(a.name) for a in agents))
    state = replace(EMPTY_STATE, fleet=spec, agents={a.name: a for a in agents}, **changes)
    return told(state)


def by_id(alert: str, severity: Severity, **said: object) -> dict[str, Condition]:
    assert severity_of(AlertId(alert)) is severity
    return {alert: Condition(**said)}  # type: ignore[arg-type]  # checked by the struct


# Agents


@pytest.mark.parametrize("health", Health)
def test_what_the_state_of_an_agent_says(health: Health) -> None:
    said = found(one(), one(name=A2, health=health, since_ms=NOW_MS))
    expected: dict[str, Condition] = {}
    if health in (Health.UNREACHABLE, Health.DOWN, Health.QUARANTINED):
        expected = by_id(
            f"agent-{health.value}:a2",
            severity=Severity.CRIT,
            subject="a2",
            text=f"{health.value}: so",
            detail=SAID,
            is_corrected=True,
        )
    elif health is Health.DEGRADED:
        expected = by_id(
            "agent-degraded:a2", severity=Severity.WARN, subject="a2", text="degraded: so"
        )
    assert said == expected


@pytest.mark.parametrize(("for_ms", "is_late"), [(119_999, False), (120_000, True)])
def test_an_agent_that_starts_for_two_minutes_is_told(for_ms: int, is_late: bool) -> None:
    starting = one(name=A2, health=Health.STARTING, since_ms=NOW_MS - for_ms)
    expected = by_id(
        "agent-starting:a2",
        severity=Severity.WARN,
        subject="a2",
        text="starting for more than 2 min: so",
        detail=SAID,
        is_corrected=True,
    )
    assert found(one(), starting) == (expected if is_late else {})
    assert found(one(), replace(starting, cordon=CORDON)) == {}, "somebody wants it so"


def test_an_agent_whose_work_fails_is_told_with_how_many_tasks_it_hit() -> None:
    expected = by_id(
        "agent-failing:a2",
        severity=Severity.CRIT,
        subject="a2",
        text="gets no tasks for now, 1 task hit: refused 3 in a row; uncordon it once fixed",
        detail=SAID,
        is_corrected=True,
    )
    failing = one(name=A2, health=Health.SUSPECT, breaker=BREAKER)
    assert found(one(), failing) == expected


@pytest.mark.parametrize("health", Health)
def test_who_is_out_of_service(health: Health) -> None:
    back_by_itself = health in (Health.UP, Health.DEGRADED, Health.SUSPECT, Health.JOINING)
    for ms, starts in ((119_999, True), (120_000, False)):
        known = one(health=health, since_ms=NOW_MS - ms)
        is_in = back_by_itself or (health is Health.STARTING and starts)
        assert is_out_of_service(known, NOW_MS) != is_in
        assert is_out_of_service(replace(known, cordon=CORDON), NOW_MS)
        assert is_out_of_service(replace(known, breaker=BREAKER), NOW_MS)


# Pools


def empty(count: int) -> dict[str, Condition]:
    return by_id(
        "pool-empty:general",
        severity=Severity.CRIT,
        subject="general",
        text=f"no agent in service ({count} out of service)",
        is_corrected=True,
    )


def test_a_pool_is_empty_when_none_of_those_that_were_looked_at_serves() -> None:
    away = [one(name=AgentName(f"b{n}"), cordon=CORDON) for n in range(2)]
    joining = one(health=Health.JOINING)
    assert found(*away) == empty(2)
    assert found(*away, joining) == empty(2), "it was not looked at yet"
    assert found(joining) == {}
    assert found(*away, one()) == {}
    assert found(one(), *away) == {}
    assert found(*away, braked_pools={GPU: "x"}).keys() >= empty(2).keys()
    assert "pool-empty:general" not in found(*away, braked_pools={GENERAL: "x"})


def test_an_agent_of_the_file_that_the_state_does_not_know_is_in_no_pool() -> None:
    spec = fleet(agent("new"), agent("a1"))
    state = replace(EMPTY_STATE, fleet=spec, agents={A1: one(cordon=CORDON)})
    assert told(state) == empty(1)


def test_pools_are_counted_apart() -> None:
    spec = fleet(agent("a1"), agent("a2", pool="gpu"), agent("a3", pool="gpu"))
    a3 = AgentName("a3")
    state = replace(
        EMPTY_STATE,
        fleet=spec,
        agents={
            A1: one(cordon=CORDON),
            A2: one(name=A2, cordon=CORDON),
            a3: one(name=a3),
        },
    )
    assert told(state) == empty(1)


def lost(name: str, kind: FailureKind, words: str, health: Health = Health.DOWN) -> AgentState:
    return one(name=AgentName(name), health=health, failure=kind, detail=Untrusted(words))


def frozen(text: str, detail: Untrusted = NOTHING_SAID) -> dict[str, Condition]:
    return by_id(
        "failover-frozen:general",
        severity=Severity.CRIT,
        subject="general",
        text=text,
        detail=detail,
        is_corrected=True,
    )


def test_a_frozen_pool_says_what_most_of_its_lost_agents_say() -> None:
    agents = [
        lost("b1", FailureKind.TIMEOUT, "slow"),
        lost("b2", FailureKind.GATEWAY_AUTH, "first token"),
        lost("b3", FailureKind.GATEWAY_AUTH, "second token"),
        lost("b4", FailureKind.TIMEOUT, "not lost", Health.SUSPECT),
        lost("b5", FailureKind.TIMEOUT, "not lost", Health.SUSPECT),
        one(name=AgentName("b6"), health=Health.DOWN),
    ]
    assert found(*agents, braked_pools={GENERAL: "3 of 6 lost"}) == frozen(
        "failover stopped: 3 of 6 lost; 2 of them: its gateway rejects the token, "
        "needs an operator",
        Untrusted("first token"),
    )
    down = [lost(f"b{n}", FailureKind.GATEWAY_DOWN, "refused") for n in range(2)]
    assert found(*down, braked_pools={GENERAL: "2 of 2 lost"}) == frozen(
        "failover stopped: 2 of 2 lost; 2 of them: its gateway is not running", Untrusted("refused")
    )


def test_a_frozen_pool_of_which_nobody_is_lost_now_says_why_it_is_braked() -> None:
    assert found(one(), braked_pools={GENERAL: "3 of 6 lost"}) == frozen(
        "failover stopped: 3 of 6 lost"
    )


def test_agents_of_other_pools_and_of_no_file_say_nothing_about_a_frozen_pool() -> None:
    spec = fleet(agent("b0"), agent("b1", pool="gpu"), agent("b2", pool="gpu"), agent("new"))
    agents = [
        lost("b0", FailureKind.TIMEOUT, "slow"),
        lost("b1", FailureKind.GATEWAY_DOWN, "refused"),
        lost("b2", FailureKind.GATEWAY_DOWN, "refused"),
        lost("gone", FailureKind.GATEWAY_DOWN, "refused"),
    ]
    state = replace(
        EMPTY_STATE,
        fleet=spec,
        agents={a.name: a for a in agents},
        braked_pools={GENERAL: "1 of 2 lost"},
    )
    said = told(state)
    assert said["failover-frozen:general"].text.endswith("; 1 of them: it did not answer in time")
    assert said.keys() == {
        "failover-frozen:general",
        "agent-down:b1",
        "agent-down:b2",
        "agent-down:gone",
        "pool-empty:gpu",
    }


def test_only_losses_are_told_by_the_pool() -> None:
    for health in (Health.UNREACHABLE, Health.DOWN, Health.QUARANTINED, Health.DEGRADED):
        said = found(one(health=health), braked_pools={GENERAL: "lost"})
        is_own = health in (Health.QUARANTINED, Health.DEGRADED)
        assert (f"agent-{health.value}:a1" in said) == is_own


# The engine


def test_what_the_engine_says_of_itself() -> None:
    engine = EngineState(
        mode=ModeNow(mode=EngineMode.FROZEN, reason="repair"),
        file_problem="a1 has no host",
        troubles={Trouble.SLOW_DISK: "the disk is slow: 2 s"},
    )
    assert found(engine=engine) == {
        "engine-hold:engine": Condition(
            subject="engine",
            text="starts no new work until thawed",
            detail=Untrusted("repair"),
        ),
        "engine-trouble:slow-disk": Condition(
            subject="engine",
            text=f"the disk is slow: 2 s; {TROUBLES[Trouble.SLOW_DISK].advice}",
            is_corrected=True,
        ),
        "fleet-file:fleet file": Condition(
            subject="fleet file",
            text="has errors; the last valid version stays in force",
            detail=Untrusted("a1 has no host"),
            is_corrected=True,
        ),
    }
    for mode in EngineMode:
        held = found(engine=EngineState(mode=ModeNow(mode=mode)))
        assert ("engine-hold:engine" in held) == (mode is EngineMode.FROZEN)


def test_troubles_are_told_when_they_begin_change_and_end() -> None:
    known = {Trouble.SLOW_DISK: "slow", Trouble.LOCKED: "by 7", Trouble.NO_MEMORY: "short"}
    state = replace(EMPTY_STATE, engine=EngineState(troubles=known))
    now = {
        Trouble.SLOW_DISK: "slow",
        Trouble.LOCKED: "by 8",
        Trouble.DISK_FULL: "full",
    }
    assert reconcile_troubles(state, now) == [
        EngineTroubled(trouble=Trouble.LOCKED, text="by 8"),
        EngineTroubled(trouble=Trouble.DISK_FULL, text="full"),
        EngineTroubled(trouble=Trouble.NO_MEMORY),
    ]


# Dead letters, tasks and models


def dead(*ended_ms: int | None) -> dict[TaskId, Task]:
    """Dead letters that ended then, oldest first."""
    return {
        TaskId(f"D{n}"): replace(FAILED, id=TaskId(f"D{n}"), ended_at_ms=ms)
        for n, ms in enumerate(ended_ms)
    }


@pytest.mark.parametrize(
    ("ended_ms", "is_growth"),
    [
        ((), False),
        ((NOW_MS,) * 4, False),
        ((NOW_MS - 600_000, *(NOW_MS,) * 4), True),
        ((NOW_MS - 600_001, *(NOW_MS,) * 4), False),
        ((1, 2, NOW_MS - 600_000, *(NOW_MS,) * 4), True),
        ((None, *(NOW_MS,) * 4), False),
    ],
)
def test_five_dead_letters_within_ten_minutes_are_an_alert(
    ended_ms: tuple[int | None, ...], is_growth: bool
) -> None:
    expected = by_id(
        "dead-letters:tasks",
        severity=Severity.WARN,
        subject="dead letters",
        text="5 or more new dead letters within 10 min",
    )
    assert found(dead_letters=dead(*ended_ms)) == (expected if is_growth else {})


def test_dead_letters_without_a_time_are_old() -> None:
    state = replace(EMPTY_STATE, dead_letters=dead(None, 1, 2, 3, 4))
    assert dict(conditions(state, 600_000)).keys() == {"dead-letters:tasks"}
    assert dict(conditions(state, 600_001)) == {}


def waits(code: PendingCode, *, since_ms: int = NOW_MS, submitted_at_ms: int = NOW_MS) -> Task:
    pending = Pending(code=code, since_ms=since_ms)
    return replace(WAITING, pending=pending, submitted_at_ms=submitted_at_ms)


def of_tasks(*tasks: Task) -> dict[str, Condition]:
    numbered = {TaskId(f"T{n}"): replace(task, id=TaskId(f"T{n}")) for n, task in enumerate(tasks)}
    return found(open_tasks=numbered)


NEEDS = replace(RUNNING, phase=TaskPhase.NEEDS_OPERATOR)
ASKS = by_id(
    "needs-operator:tasks",
    severity=Severity.CRIT,
    subject="tasks",
    text="1 needs your verdict",
    is_corrected=True,
)
LOST = by_id(
    "unknown-runs:tasks",
    severity=Severity.WARN,
    subject="runs",
    text="1 in unknown state",
    is_corrected=True,
)
HELD = by_id(
    "held:tasks", severity=Severity.WARN, subject="queue", text="no agent can take some tasks"
)
SPENT = by_id(
    "retry-budget:queue",
    severity=Severity.WARN,
    subject="queue",
    text="the retry budget is spent; retries wait",
)
AWAY = by_id(
    "long-wait:agents",
    severity=Severity.WARN,
    subject="queue",
    text="tasks wait more than 2 min for agents that are out of service",
)
LATE = by_id(
    "long-wait:tasks",
    severity=Severity.WARN,
    subject="queue",
    text="tasks wait more than 2 min for a slot",
)


def unknown(since_ms: int | None) -> Task:
    attempt = replace(RUNNING.attempts[-1], phase=AttemptPhase.UNKNOWN, unknown_since_ms=since_ms)
    return replace(RUNNING, attempts=(attempt,))


OLD_MS = NOW_MS - 120_000
TASKS: list[tuple[Task, dict[str, Condition]]] = [
    (RUNNING, {}),
    (NEEDS, ASKS),
    (unknown(NOW_MS - 20_000), LOST),
    (unknown(NOW_MS - 19_999), {}),
    (unknown(None), {}),
    (replace(WAITING, pending=None, submitted_at_ms=0), {}),
    *(
        (waits(code, since_ms=NOW_MS - 5_000), HELD if code is not PendingCode.HOLD else {})
        for code in PendingCode
        if code.is_held
    ),
    *((waits(code, since_ms=NOW_MS - 4_999), {}) for code in PendingCode if code.is_held),
    (waits(PendingCode.HOLD, since_ms=0, submitted_at_ms=0), {}),
    (waits(PendingCode.RETRY_BUDGET), SPENT),
    (waits(PendingCode.CAPACITY, submitted_at_ms=OLD_MS), LATE),
    (waits(PendingCode.BACKOFF, submitted_at_ms=OLD_MS), LATE),
    (waits(PendingCode.STATE, submitted_at_ms=OLD_MS), AWAY),
    (waits(PendingCode.TRIAL, submitted_at_ms=OLD_MS), AWAY),
    (waits(PendingCode.CORDON, submitted_at_ms=OLD_MS), AWAY),
    (waits(PendingCode.RETRY_BUDGET, submitted_at_ms=OLD_MS), SPENT | LATE),
    *(
        (waits(code, submitted_at_ms=OLD_MS + 1), {})
        for code in (PendingCode.CAPACITY, PendingCode.STATE)
    ),
    (waits(PendingCode.CAPABILITY, submitted_at_ms=0), {}),
]


def test_what_needs_you_is_counted() -> None:
    lost = unknown(NOW_MS - 60_000)
    texts = {c.text for c in of_tasks(NEEDS, NEEDS, lost, lost, lost).values()}
    assert texts == {"2 need your verdict", "3 in unknown state"}


@pytest.mark.parametrize(("task", "expected"), TASKS)
def test_what_a_task_is_an_alert_for(task: Task, expected: dict[str, Condition]) -> None:
    assert of_tasks(task) == expected
    for other in (RUNNING, waits(PendingCode.HOLD), waits(PendingCode.CAPACITY), unknown(NOW_MS)):
        assert of_tasks(task, other) == expected, "another one takes nothing back"
        assert of_tasks(other, task) == expected


def test_tasks_of_each_kind_are_an_alert_each() -> None:
    every = ASKS | LOST | HELD | SPENT | AWAY | LATE
    tasks = [task for task, _ in TASKS]
    assert of_tasks(*tasks) == every
    assert of_tasks(*reversed(tasks)) == every


def troubled(name: str, agent: str, reason: str, attempt: int = 3) -> Task:
    run = replace(
        RUNNING.attempts[-1],
        agent=AgentName(agent),
        model_trouble=ModelTrouble(reason=reason, attempt=attempt),
    )
    return replace(RUNNING, id=TaskId(name), attempts=(run,))


def of_models(*tasks: Task) -> str | None:
    state = replace(EMPTY_STATE, open_tasks={task.id: task for task in tasks})
    said = told(state)
    if not said:
        return None
    text = said["model-outage:models"].text
    assert said == by_id(
        "model-outage:models",
        severity=Severity.WARN,
        subject="models",
        text=text,
        is_corrected=True,
    )
    return text


def test_a_model_outage_gives_the_reason_of_most_runs_and_the_first_of_equal_ones() -> None:
    limit = [troubled("T1", "c", "rate limit"), troubled("T2", "b", "overloaded")]
    again = "the model keeps failing on"
    assert of_models(*limit) == f"{again} b, c: overloaded"
    assert of_models(*limit, troubled("T3", "c", "rate limit")) == f"{again} b, c: rate limit"
    assert of_models(limit[0], RUNNING, troubled("T3", "c", "rate limit")) is None
    assert of_models(limit[0], RUNNING, limit[1]) == f"{again} b, c: overloaded"
    assert of_models(limit[0], troubled("T4", "b", "overloaded", 2)) is None
    three = [*limit, troubled("T5", "a", "overloaded")]
    assert of_models(*three) == f"{again} a, b, c: overloaded"
    four = [*three, troubled("T6", "d", "rate limit", 4)]
    assert of_models(*four) == f"{again} a, b, c and more: overloaded"


# What is raised, corrected and resolved


def test_an_alert_is_raised_once_corrected_where_it_may_be_and_resolved() -> None:
    spec = fleet(agent("a1"), agent("a2"), agent("a3"))
    degraded = one(health=Health.DEGRADED, reason="slow")
    down = one(name=A2, health=Health.DOWN, reason="gone")
    up = one(name=AgentName("a3"))
    state = replace(EMPTY_STATE, fleet=spec, agents={a.name: a for a in (degraded, down, up)})
    raised = reconcile_alerts(state, NOW_MS)
    assert raised == [
        AlertRaised(
            alert=AlertId("agent-degraded:a1"),
            severity=Severity.WARN,
            subject="a1",
            text="degraded: slow",
        ),
        AlertRaised(
            alert=AlertId("agent-down:a2"),
            severity=Severity.CRIT,
            subject="a2",
            text="down: gone",
            detail=SAID,
        ),
    ]
    state = replace(
        state, alerts={e.alert: opened(e) for e in raised if isinstance(e, AlertRaised)}
    )
    assert reconcile_alerts(state, NOW_MS) == []
    assert reconcile_alerts(agents(state, replace(degraded, reason="slower")), NOW_MS) == []
    for other in (replace(down, reason="far"), replace(down, detail=Untrusted("other"))):
        (corrected,) = reconcile_alerts(agents(state, other), NOW_MS)
        assert isinstance(corrected, AlertRaised)
        assert (corrected.text, corrected.detail) == (f"down: {other.reason}", other.detail)
    back = agents(state, replace(down, health=Health.UP))
    assert reconcile_alerts(back, NOW_MS) == [AlertResolved(alert=AlertId("agent-down:a2"))]
    louder = {AlertId("agent-down:a2"): replace(opened(raised[1]), severity=Severity.WARN)}
    (again,) = reconcile_alerts(replace(state, alerts={**state.alerts, **louder}), NOW_MS)
    assert again == raised[1]


def opened(event: object) -> Alert:
    assert isinstance(event, AlertRaised)
    return Alert(
        id=event.alert,
        severity=event.severity,
        subject=event.subject,
        text=event.text,
        detail=event.detail,
    )


def agents(state: FleetState, changed: AgentState) -> FleetState:
    return replace(state, agents={**state.agents, changed.name: changed})
