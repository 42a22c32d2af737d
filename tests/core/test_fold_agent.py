"""What each fact changes of an agent, and that it changes nothing else."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import (
    MAX_CANARIES,
    MAX_HIT,
    MAX_STRIKES,
    Breaker,
    CanaryRun,
    Probation,
    Strike,
)
from fleet_tui.core.agents.events import (
    AgentCordoned,
    AgentEvent,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    CanaryEnded,
    CanaryStarted,
    HealthChanged,
)
from fleet_tui.core.agents.fold import excused, next_agent, with_run, without_run
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.evidence import Blame, Usage
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import work

A1, A2 = AgentName("a1"), AgentName("a2")
NOW_MS = 90_000
SAID = Untrusted("what it says")
T, U, V = TaskId("T"), TaskId("U"), TaskId("V")

UP = AgentState(
    name=A1,
    health=Health.UP,
    since_ms=1_000,
    reason="answers",
    version="1",
    boot_id="boot-1",
    limits=(Limit.NO_LANES,),
    runs=frozenset({RunId("T.1"), RunId("U.1")}),
    succeeded=5,
    failed=4,
    was_up=True,
    did_well_at_ms=2_000,
)
OPEN = Breaker(
    since_ms=3_000,
    until_ms=100_000,
    opens=2,
    harmless=True,
    reason="refused 3 in a row",
    detail=Untrusted("no"),
    hit=(T,),
    settled_ms=70_000,
    trial=RunId("T.1"),
)
TRIPPED = replace(UP, breaker=OPEN)
STRIKE = Strike(run=RunId("V.1"), task=V, at_ms=4_000, harmless=False, took_ms=12)

PAID = CanaryRun(run=RunId("c.7"), since_ms=OPEN.since_ms, ended_at_ms=OPEN.since_ms + 1)
BEFORE = replace(PAID, since_ms=OPEN.since_ms - 1)
PROBATION = Probation(since_ms=1, harmless=True)
CANARIES = [CanaryRun(run=RunId(f"c.{n}"), since_ms=n) for n in range(MAX_CANARIES)]

COURSE: list[tuple[AgentState, AgentEvent, AgentState]] = [
    (
        UP,
        HealthChanged(
            agent=A1,
            health=Health.QUARANTINED,
            was=Health.UP,
            reason="flaps",
            failure=FailureKind.TIMEOUT,
            detail=SAID,
            quarantine_until_ms=95_000,
        ),
        replace(
            UP,
            health=Health.QUARANTINED,
            since_ms=NOW_MS,
            reason="flaps",
            failure=FailureKind.TIMEOUT,
            detail=SAID,
            failing_since_ms=NOW_MS,
            quarantine_until_ms=95_000,
        ),
    ),
    (
        replace(UP, failure=FailureKind.TIMEOUT, failing_since_ms=7),
        HealthChanged(
            agent=A1,
            health=Health.DOWN,
            was=Health.UP,
            reason="gone",
            failure=FailureKind.GATEWAY_DOWN,
        ),
        replace(
            UP,
            health=Health.DOWN,
            since_ms=NOW_MS,
            reason="gone",
            failure=FailureKind.GATEWAY_DOWN,
            failing_since_ms=7,
        ),
    ),
    (
        replace(
            UP,
            failure=FailureKind.TIMEOUT,
            detail=SAID,
            failing_since_ms=7,
            quarantine_until_ms=95_000,
        ),
        HealthChanged(agent=A1, health=Health.UP, was=Health.UP, reason="other words"),
        replace(UP, reason="other words"),
    ),
    (  # as a version before failing_since_ms left it
        AgentState(name=A1, health=Health.DOWN, since_ms=3, failure=FailureKind.TIMEOUT),
        HealthChanged(
            agent=A1,
            health=Health.UNREACHABLE,
            was=Health.DOWN,
            reason="gone",
            failure=FailureKind.GATEWAY_DOWN,
        ),
        AgentState(
            name=A1,
            health=Health.UNREACHABLE,
            since_ms=NOW_MS,
            reason="gone",
            failure=FailureKind.GATEWAY_DOWN,
            failing_since_ms=3,
        ),
    ),
    *(
        (
            AgentState(name=A1),
            HealthChanged(agent=A1, health=health, was=Health.JOINING, reason="first look"),
            AgentState(
                name=A1,
                health=health,
                since_ms=NOW_MS if health is not Health.JOINING else 0,
                reason="first look",
                was_up=health in (Health.UP, Health.DEGRADED),
            ),
        )
        for health in Health
    ),
    (
        UP,
        AgentIdentified(agent=A1, version="2", boot_id="boot-2", limits=(Limit.NO_FENCE,)),
        replace(UP, version="2", boot_id="boot-2", limits=(Limit.NO_FENCE,)),
    ),
    (
        TRIPPED,
        AgentIdentified(agent=A1, version="2", boot_id="boot-2"),
        replace(
            TRIPPED,
            version="2",
            boot_id="boot-2",
            limits=(),
            breaker=replace(OPEN, until_ms=NOW_MS),
        ),
    ),
    (
        replace(UP, breaker=replace(OPEN, until_ms=80_000)),
        AgentIdentified(agent=A1, version="2", boot_id="boot-2"),
        replace(
            UP,
            version="2",
            boot_id="boot-2",
            limits=(),
            breaker=replace(OPEN, until_ms=80_000),
        ),
    ),
    (
        TRIPPED,
        AgentIdentified(agent=A1, version="2", boot_id="boot-1"),
        replace(TRIPPED, version="2", limits=()),
    ),
    (
        replace(TRIPPED, boot_id=None),
        AgentIdentified(agent=A1, version="1", boot_id="boot-1"),
        replace(TRIPPED, limits=()),
    ),
    (
        replace(TRIPPED, canaries=(PAID,)),
        AgentIdentified(agent=A1, version="1", boot_id="boot-2"),
        replace(TRIPPED, canaries=(PAID,), version="1", boot_id="boot-2", limits=()),
    ),
    (
        replace(TRIPPED, canaries=(BEFORE,)),
        AgentIdentified(agent=A1, version="1", boot_id="boot-2"),
        replace(
            TRIPPED,
            canaries=(BEFORE,),
            version="1",
            boot_id="boot-2",
            limits=(),
            breaker=replace(OPEN, until_ms=NOW_MS),
        ),
    ),
    (
        UP,
        AgentCordoned(agent=A1, by="me", reason="repair"),
        replace(UP, cordon=CordonRecord(by="me", reason="repair", since_ms=NOW_MS)),
    ),
    (
        replace(UP, cordon=CordonRecord(by="me", reason="repair", since_ms=1)),
        AgentUncordoned(agent=A1, by="you"),
        UP,
    ),
    (
        replace(UP, strikes=(STRIKE,)),
        AgentTripped(
            agent=A1,
            reason="failed 3 in a row",
            detail=SAID,
            until_ms=120_000,
            opens=1,
            harmless=True,
            tasks=(V, U, V),
            settled_ms=65_000,
        ),
        replace(
            UP,
            strikes=(STRIKE,),
            breaker=Breaker(
                since_ms=NOW_MS,
                until_ms=120_000,
                opens=1,
                harmless=True,
                reason="failed 3 in a row",
                detail=SAID,
                hit=(V, U),
                settled_ms=65_000,
            ),
        ),
    ),
    (
        TRIPPED,
        AgentTripped(
            agent=A1, reason="the trial failed", until_ms=130_000, opens=3, tasks=(U, T, V)
        ),
        replace(
            UP,
            breaker=Breaker(
                since_ms=3_000,
                until_ms=130_000,
                opens=3,
                harmless=False,
                reason="the trial failed",
                hit=(T, U, V),
            ),
        ),
    ),
    (
        TRIPPED,
        AgentTripped(agent=A1, reason="so", until_ms=130_000, relapsed=True),
        replace(
            UP,
            breaker=Breaker(
                since_ms=3_000,
                until_ms=130_000,
                harmless=False,
                reason="so",
                hit=OPEN.hit,
                relapsed=True,
            ),
        ),
    ),
    (
        replace(TRIPPED, strikes=(STRIKE,), probation=PROBATION),
        AgentTrusted(agent=A1, reason="well"),
        UP,
    ),
    (
        replace(TRIPPED, breaker=replace(OPEN, harmless=False)),
        AgentTrusted(agent=A1, reason="well", by_canary=True),
        replace(UP, probation=Probation(since_ms=NOW_MS, harmless=False)),
    ),
    (
        replace(TRIPPED, breaker=None),
        AgentTrusted(agent=A1, reason="well", by_canary=True),
        replace(UP, probation=Probation(since_ms=NOW_MS, harmless=True)),
    ),
    (
        replace(UP, probation=PROBATION),
        AgentTripped(agent=A1, reason="so", until_ms=130_000),
        replace(
            UP, breaker=Breaker(since_ms=NOW_MS, until_ms=130_000, harmless=False, reason="so")
        ),
    ),
    (
        replace(TRIPPED, canaries=tuple(CANARIES)),
        CanaryStarted(agent=A1, run=RunId("c.99")),
        replace(TRIPPED, canaries=(*CANARIES[1:], CanaryRun(run=RunId("c.99"), since_ms=NOW_MS))),
    ),
    (
        replace(TRIPPED, canaries=tuple(CANARIES)),
        CanaryEnded(
            agent=A1,
            run=CANARIES[-1].run,
            ok=False,
            reason="no",
            usage=Usage(unusable=True),
            cost_microusd=7,
        ),
        replace(
            TRIPPED,
            canaries=(
                *CANARIES[:-1],
                replace(CANARIES[-1], ended_at_ms=NOW_MS, cost_microusd=7, has_unknown_cost=True),
            ),
        ),
    ),
]


@pytest.mark.parametrize(
    ("before", "event", "after"),
    COURSE,
    ids=[f"{before.health}-{type(event).__name__}" for before, event, _ in COURSE],
)
def test_a_fact_changes_what_it_is_about(
    before: AgentState, event: AgentEvent, after: AgentState
) -> None:
    assert next_agent(before, event, NOW_MS) == after


def test_every_fact_about_an_agent_has_its_row() -> None:
    assert {type(event) for _, event, _ in COURSE} == set(AgentEvent.__args__)


def test_a_breaker_counts_the_first_tasks_that_were_hit() -> None:
    most = tuple(TaskId(f"H{n}") for n in range(MAX_HIT - 1))
    before = replace(UP, breaker=replace(OPEN, hit=most))
    after = next_agent(before, tripped(T, U), NOW_MS)
    assert after.breaker is not None
    assert after.breaker.hit == (*most, T)


def tripped(*tasks: TaskId) -> AgentTripped:
    return AgentTripped(agent=A1, reason="x", until_ms=1, tasks=tasks)


def attempt(
    run: str = "T.1",
    phase: AttemptPhase = AttemptPhase.PLANNED,
    *,
    agent: AgentName = A1,
    blame: Blame = Blame.NOBODY,
    started_at_ms: int | None = 80_000,
) -> Attempt:
    return Attempt(
        run_id=RunId(run),
        number=1,
        agent=agent,
        phase=phase,
        planned_at_ms=70_000,
        started_at_ms=started_at_ms,
        decision=RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="", considered=1),
        blame=blame,
    )


def test_a_run_that_is_planned_takes_a_slot_and_is_the_trial_of_an_open_breaker() -> None:
    runs = UP.runs | {RunId("V.1")}
    assert with_run(UP, attempt("V.1")) == replace(UP, runs=runs)
    untried = replace(UP, breaker=replace(OPEN, trial=None))
    assert with_run(untried, attempt("V.1")) == replace(
        UP, runs=runs, breaker=replace(OPEN, trial=RunId("V.1"))
    )
    assert with_run(TRIPPED, attempt("V.1")) == replace(TRIPPED, runs=runs), "one at a time"


@pytest.mark.parametrize("phase", [p for p in AttemptPhase if not p.is_open])
def test_a_run_that_ends_frees_its_slot_and_counts_by_how_it_ended(phase: AttemptPhase) -> None:
    before = replace(UP, strikes=(STRIKE,), probation=PROBATION)
    after = without_run(before, attempt("T.1", phase), NOW_MS)
    expected = replace(before, runs=frozenset({RunId("U.1")}))
    if phase is AttemptPhase.SUCCEEDED:
        expected = replace(expected, succeeded=6, did_well_at_ms=NOW_MS, strikes=(), probation=None)
    elif phase in (AttemptPhase.FAILED, AttemptPhase.DIED, AttemptPhase.TIMED_OUT):
        expected = replace(expected, failed=5)
    assert after == expected


@pytest.mark.parametrize(
    "phase", [AttemptPhase.NOT_STARTED, AttemptPhase.FENCED, AttemptPhase.FAILED, AttemptPhase.DIED]
)
def test_a_run_that_its_agent_is_to_blame_for_is_a_strike_and_one_failure(
    phase: AttemptPhase,
) -> None:
    before = replace(UP, strikes=(STRIKE,))
    after = without_run(before, attempt("T.1", phase, blame=Blame.AGENT), NOW_MS)
    strike = Strike(
        run=RunId("T.1"),
        task=T,
        at_ms=NOW_MS,
        harmless=phase in (AttemptPhase.NOT_STARTED, AttemptPhase.FENCED),
        took_ms=10_000,
    )
    assert after == replace(
        before, runs=frozenset({RunId("U.1")}), failed=5, strikes=(STRIKE, strike)
    )


@pytest.mark.parametrize(
    ("started_at_ms", "took_ms"),
    [(80_000, 10_000), (None, 20_000), (NOW_MS, 0), (NOW_MS - 1, 1), (NOW_MS + 5_000, 0)],
)
def test_a_strike_took_as_long_as_its_run_since_its_start_or_its_plan(
    started_at_ms: int | None, took_ms: int
) -> None:
    ended = attempt("T.1", AttemptPhase.FAILED, blame=Blame.AGENT, started_at_ms=started_at_ms)
    (strike,) = without_run(UP, ended, NOW_MS).strikes
    assert strike.took_ms == took_ms, "and never less than nothing, whatever clocks say"


def test_a_failure_that_is_the_tasks_own_is_no_strike() -> None:
    ended = attempt("T.1", AttemptPhase.FAILED, blame=Blame.TASK)
    after = without_run(UP, ended, NOW_MS)
    assert (after.failed, after.strikes) == (5, ())


def test_the_newest_strikes_are_kept() -> None:
    agent = UP
    for n in range(MAX_STRIKES + 2):
        agent = without_run(
            agent, attempt(f"S{n}.1", AttemptPhase.FAILED, blame=Blame.AGENT), NOW_MS
        )
    assert [s.run for s in agent.strikes] == [f"S{n}.1" for n in range(2, MAX_STRIKES + 2)]


def test_a_trial_is_over_with_its_run_and_with_no_other() -> None:
    other = without_run(TRIPPED, attempt("U.1", AttemptPhase.CANCELLED), NOW_MS)
    assert other.breaker == OPEN
    own = without_run(TRIPPED, attempt("T.1", AttemptPhase.CANCELLED), NOW_MS)
    assert own.breaker == replace(OPEN, trial=None)


def struck(*attempts: Attempt) -> Task:
    return Task(
        id=T,
        number=1,
        key="k",
        spec=work(),
        by="me",
        submitted_at_ms=1,
        payload_sha256="",
        attempts=attempts,
    )


def test_a_task_that_is_to_blame_takes_back_its_own_failures_and_no_others() -> None:
    blamed = struck(
        attempt("T.1", AttemptPhase.NOT_STARTED, blame=Blame.AGENT),
        attempt("T.2", AttemptPhase.FAILED, blame=Blame.AGENT, agent=A2),
        attempt("T.3", AttemptPhase.FAILED, blame=Blame.TASK),
        attempt("T.4", AttemptPhase.DIED),
        attempt("T.5", AttemptPhase.FAILED, blame=Blame.AGENT),
    )
    mine = Strike(run=RunId("T.1"), task=T, at_ms=5_000, harmless=True)
    before = replace(UP, strikes=(mine, STRIKE), breaker=replace(OPEN, hit=(U, T, V)))
    assert excused(before, blamed) == replace(
        UP, failed=2, strikes=(STRIKE,), breaker=replace(OPEN, hit=(U, V))
    )


def test_what_is_taken_back_is_never_more_than_what_was_counted() -> None:
    blamed = struck(
        *(attempt(f"T.{n}", AttemptPhase.FAILED, blame=Blame.AGENT) for n in range(1, 4))
    )
    assert [excused(replace(UP, failed=n), blamed).failed for n in range(6)] == [0, 0, 0, 0, 1, 2]


def test_a_closed_breaker_stays_closed_when_a_task_is_to_blame() -> None:
    assert excused(UP, struck()) == UP
