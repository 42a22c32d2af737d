"""What one word about one run says about a task and its agents, at the bounds."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import SETTLED_CAP_MS, SETTLED_MS, Breaker, Strike
from fleet_tui.core.agents.events import AgentTripped, AgentTrusted, HealthChanged
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.outcomes import (
    ALONE_TRIES,
    BREAK,
    INSTANT_MS,
    STRIKE_WINDOW_MS,
    blame_for,
    blame_for_refusal,
    blamed_task,
    reconcile_trials,
    verdict_on_agents,
)
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import AgentSpec, OpenClawAgent, Strategy, TaskClass
from fleet_tui.core.ids import AgentName, TaskId, run_id
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.events import (
    AttemptDied,
    AttemptFinished,
    AttemptNotStarted,
    AttemptStopped,
    AttemptTroubled,
    TaskBlamed,
    TaskNeedsOperator,
)
from fleet_tui.core.tasks.evidence import Blame, Checkpoint, Finished, LostReason, NotStarted
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work

NOW_MS = 10_000_000
FIRST_MS = NOW_MS - 60_000
"""When the first try of a task was planned."""
TASK, OTHER = TaskId("TASK1"), TaskId("TASK2")
BAD = AgentName("bad")
SAYS = Untrusted("no such model")


def try_(
    number: int,
    name: str,
    *,
    task: TaskId = TASK,
    planned_at_ms: int = FIRST_MS,
    started_at_ms: int | None = None,
    phase: AttemptPhase = AttemptPhase.NOT_STARTED,
    blame: Blame = Blame.AGENT,
    reason: str = "refused",
    checkpoint: Checkpoint | None = None,
) -> Attempt:
    """One try at a task, refused by its agent where nothing else is said."""
    return Attempt(
        run_id=run_id(task, number),
        number=number,
        agent=AgentName(name),
        phase=phase,
        planned_at_ms=planned_at_ms,
        started_at_ms=started_at_ms,
        decision=RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="", considered=0),
        blame=blame,
        reason=reason,
        checkpoint=checkpoint,
    )


def task_of(*tries: Attempt, task: TaskId = TASK, task_class: TaskClass = TaskClass.ONCE) -> Task:
    return Task(
        id=task,
        number=1,
        key=task,
        spec=work(task_class=task_class),
        by="me",
        submitted_at_ms=FIRST_MS,
        payload_sha256="",
        attempts=tries,
    )


def world(specs: list[AgentSpec], agents: list[AgentState], *tasks: Task) -> FleetState:
    return FleetState(
        fleet=fleet(*specs),
        agents={one.name: one for one in agents},
        open_tasks={one.id: one for one in tasks},
    )


def known(
    name: str = "bad",
    *,
    succeeded: int = 0,
    did_well_at_ms: int | None = None,
    health: Health = Health.UP,
    breaker: Breaker | None = None,
    strikes: tuple[Strike, ...] = (),
) -> AgentState:
    return AgentState(
        name=AgentName(name),
        health=health,
        succeeded=succeeded,
        did_well_at_ms=did_well_at_ms,
        breaker=breaker,
        strikes=strikes,
    )


def breaker_of(
    *, opens: int = 1, harmless: bool = True, settled_ms: int = 90_000, trial: int | None = 1
) -> Breaker:
    """One whose trial is a run of the task."""
    return Breaker(
        since_ms=0,
        until_ms=0,
        opens=opens,
        harmless=harmless,
        reason="3 runs in a row failed",
        detail=Untrusted("what it said then"),
        settled_ms=settled_ms,
        trial=None if trial is None else run_id(TASK, trial),
    )


def strike(task: TaskId = OTHER, *, at_ms: int = NOW_MS, harmless: bool = True) -> Strike:
    return Strike(run=run_id(task, 1), task=task, at_ms=at_ms, harmless=harmless)


# Whose doing was it?


def test_only_what_fails_within_seconds_of_its_start_was_not_worked_on() -> None:
    fact = Finished(ok=False, failure="agent-error")
    for started_at_ms in (None, NOW_MS):
        run = try_(1, "bad", planned_at_ms=NOW_MS, started_at_ms=started_at_ms)
        assert blame_for(fact, run, NOW_MS + INSTANT_MS - 1) is Blame.AGENT
        assert blame_for(fact, run, NOW_MS + INSTANT_MS) is Blame.NOBODY


def test_what_no_agent_would_take_is_the_task_and_a_success_is_nobodys_fault() -> None:
    run = try_(1, "bad")
    refused = NotStarted(reason="ssh-unreachable", retryable=False)
    assert blame_for(refused, run, NOW_MS) is Blame.TASK
    assert blame_for(Finished(ok=True, failure="model-error"), run, NOW_MS) is Blame.NOBODY


# Is it the task?


@pytest.mark.parametrize(
    ("refusers", "named"),
    [(3, "a1, a2, a3"), (4, "a1, a2, a3 and 1 more"), (5, "a1, a2, a3 and 2 more")],
)
def test_a_task_is_blamed_in_words_that_name_the_first_three_agents(
    refusers: int, named: str
) -> None:
    names = [f"a{n}" for n in range(1, refusers + 1)]
    *before, last = (try_(n, name) for n, name in enumerate(names, 1))
    specs = [agent(name) for name in (*names, "spare")]
    state = world(specs, [known(name, succeeded=1) for name in names])
    assert blamed_task(state, task_of(*before, last), last, "refused", Blame.AGENT) is not None
    blamed = blamed_task(state, task_of(*before), last, "refused", Blame.AGENT)
    assert blamed == TaskBlamed(
        task=TASK,
        reason=f"{named} refused it in the same way: its agent refused it",
        agents=tuple(map(AgentName, names)),
    )


@pytest.mark.parametrize(
    ("second", "is_blamed"),
    [
        (try_(2, "a2"), True),
        (try_(2, "a2", reason="another"), False),
        (try_(2, "a2", blame=Blame.NOBODY), False),
        (try_(2, "a2", planned_at_ms=FIRST_MS - 1), False),
    ],
    ids=["the same", "another reason", "nobody's doing", "before it was asked for again"],
)
def test_only_equal_refusals_since_it_was_asked_for_count(second: Attempt, is_blamed: bool) -> None:
    names = ["a1", "a2", "a3"]
    state = world(
        [agent(name) for name in (*names, "spare")], [known(name, succeeded=1) for name in names]
    )
    task = task_of(try_(1, "a1"), second)
    blamed = blamed_task(state, task, try_(3, "a3"), "refused", Blame.AGENT)
    assert (blamed is not None) is is_blamed


@pytest.mark.parametrize(("after_ms", "is_blamed"), [(0, False), (1, True)])
def test_what_ran_and_failed_is_the_task_only_if_all_did_well_since_the_first_try(
    after_ms: int, is_blamed: bool
) -> None:
    names = ["a1", "a2", "a3"]
    agents = [known(name, succeeded=1, did_well_at_ms=FIRST_MS + 1) for name in names[:2]]
    agents.append(known("a3", succeeded=1, did_well_at_ms=FIRST_MS + after_ms))
    state = world([agent(name) for name in (*names, "spare")], agents)
    task = task_of(try_(1, "a1"), try_(2, "a2"))
    last = try_(3, "a3", planned_at_ms=NOW_MS)
    blamed = blamed_task(state, task, last, "refused", Blame.AGENT, has_run=True)
    assert (blamed is not None) is is_blamed


@pytest.mark.parametrize(
    ("tries", "after_ms", "is_blamed"),
    [(ALONE_TRIES, 1, True), (ALONE_TRIES, 0, False), (ALONE_TRIES - 1, 1, False)],
)
def test_the_only_agent_has_to_refuse_three_times_and_to_work_meanwhile(
    tries: int, after_ms: int, is_blamed: bool
) -> None:
    *before, last = (try_(n, "bad") for n in range(1, tries + 1))
    state = world([agent("bad")], [known(succeeded=1, did_well_at_ms=FIRST_MS + after_ms)])
    blamed = blamed_task(state, task_of(*before), last, "refused", Blame.AGENT)
    assert (blamed is not None) is is_blamed


@pytest.mark.parametrize(
    ("task_class", "leaves", "is_blamed"),
    [
        (TaskClass.RESUMABLE, True, True),
        (TaskClass.RESUMABLE, False, False),
        (TaskClass.IDEMPOTENT, True, False),
    ],
)
def test_a_gateway_that_cannot_go_on_with_a_task_is_not_waited_for(
    task_class: TaskClass, leaves: bool, is_blamed: bool
) -> None:
    gateway = OpenClawAgent(port=1, token="secret:env:TOKEN")
    specs = [agent("a1"), agent("a2"), replace(agent("gateway"), kind=gateway)]
    state = world(specs, [known(name, succeeded=1) for name in ("a1", "a2")])
    mark = Checkpoint(text=Untrusted("page 1"), sha256="0" * 64) if leaves else None
    task = task_of(try_(1, "a1", checkpoint=mark), task_class=task_class)
    blamed = blamed_task(state, task, try_(2, "a2"), "refused", Blame.AGENT)
    assert (blamed is not None) is is_blamed


# Strikes


def not_started(blame: Blame = Blame.AGENT) -> AttemptNotStarted:
    return AttemptNotStarted(run=run_id(TASK, 1), reason="refused", detail=SAYS, blame=blame)


def failed() -> AttemptFinished:
    return AttemptFinished(
        run=run_id(TASK, 1), ok=False, failure="model-error", detail=SAYS, blame=Blame.AGENT
    )


def after(
    event: e.Event,
    bad: AgentState,
    *others: Task,
    more: tuple[AgentState, ...] = (),
    specs: list[AgentSpec] | None = None,
    started_at_ms: int = NOW_MS,
) -> list[e.Event]:
    """What the event says about the agent that has the task's first try, among news that say
    nothing about agents."""
    run = try_(1, "bad", started_at_ms=started_at_ms, phase=AttemptPhase.RUNNING)
    task = task_of(run)
    state = world(specs or [agent("bad")], [bad, *more], task, *others)
    of_task = TaskNeedsOperator(task=TASK, reason="a test")
    of_run = AttemptTroubled(run=run.run_id)
    return verdict_on_agents(state, task, run, [of_task, of_run, event, of_task], NOW_MS)


@pytest.mark.parametrize(
    ("took_ms", "settled_ms"),
    [(0, SETTLED_MS), (40_000, 80_000), (SETTLED_CAP_MS, SETTLED_CAP_MS)],
)
def test_the_third_failure_in_a_row_opens_the_breaker(took_ms: int, settled_ms: int) -> None:
    strikes = (strike(), strike(TASK))
    tripped, suspect = after(failed(), known(strikes=strikes), started_at_ms=NOW_MS - took_ms)
    why = "3 runs in a row failed: its model failed (model-error)"
    assert tripped == AgentTripped(
        agent=BAD,
        reason=why,
        detail=SAYS,
        until_ms=NOW_MS + BREAK.base_ms,
        tasks=(OTHER, TASK),
        settled_ms=settled_ms,
    )
    assert suspect == HealthChanged(
        agent=BAD, health=Health.SUSPECT, was=Health.UP, reason=why, detail=SAYS
    )


@pytest.mark.parametrize(
    ("age_ms", "trips"), [(STRIKE_WINDOW_MS, True), (STRIKE_WINDOW_MS + 1, False)]
)
def test_an_old_failure_does_not_count(age_ms: int, trips: bool) -> None:
    strikes = (strike(at_ms=NOW_MS - age_ms), strike())
    assert bool(after(not_started(), known(strikes=strikes))) is trips


@pytest.mark.parametrize(
    ("elsewhere", "trips"),
    [
        (try_(1, "good", task=OTHER), False),
        (try_(1, "bad", task=OTHER), True),
        (try_(1, "good", task=OTHER, blame=Blame.NOBODY), True),
        (None, True),
    ],
    ids=["another refused it", "it alone refused it", "another did nothing wrong", "forgotten"],
)
def test_a_task_that_another_agent_refused_does_not_count_against_one_that_works(
    elsewhere: Attempt | None, trips: bool
) -> None:
    others = [task_of(elsewhere, task=OTHER)] if elsewhere is not None else []
    strikes = (strike(OTHER), strike(OTHER))
    assert bool(after(not_started(), known(strikes=strikes, succeeded=1), *others)) is trips
    assert after(not_started(), known(strikes=strikes), *others), "one that never worked"


@pytest.mark.parametrize(
    ("size", "out", "trips"),
    [
        (1, 0, True),
        (2, 0, True),
        (2, 1, False),
        (3, 0, True),
        (3, 1, False),
        (4, 1, True),
        (4, 2, False),
        (5, 1, True),
        (5, 2, False),
    ],
)
def test_at_most_half_of_a_pool_that_works_is_out_because_it_refuses(
    size: int, out: int, trips: bool
) -> None:
    names = [f"a{n}" for n in range(1, size)]
    specs = [*map(agent, ("bad", *names)), *(agent(f"b{n}", pool="second") for n in range(3))]
    more = [known(name, breaker=breaker_of() if n < out else None) for n, name in enumerate(names)]
    more += [known(f"b{n}", breaker=breaker_of()) for n in range(3)]
    bad = known(succeeded=1, strikes=(strike(), strike()))
    assert bool(after(not_started(), bad, more=tuple(more), specs=specs)) is trips
    new = replace(bad, succeeded=0)
    assert after(not_started(), new, more=tuple(more), specs=specs), "one that never worked"


SUSPECT_OF_ANOTHER = replace(known(health=Health.SUSPECT), reason="another")
SUSPECT_OF_THIS = replace(
    known(health=Health.SUSPECT), reason="3 runs in a row failed: its model failed (model-error)"
)
MISSED = replace(SUSPECT_OF_ANOTHER, failure=FailureKind.TIMEOUT)


@pytest.mark.parametrize(
    ("before", "is_told"),
    [
        (known(health=Health.UP), True),
        (replace(known(health=Health.UP), failure=FailureKind.TIMEOUT), True),
        (replace(SUSPECT_OF_THIS, health=Health.UP), True),
        (known(health=Health.DEGRADED), True),
        (known(health=Health.DOWN), False),
        (SUSPECT_OF_ANOTHER, True),
        (SUSPECT_OF_THIS, False),
        (MISSED, False),
    ],
)
def test_an_open_breaker_makes_an_agent_suspect_unless_looks_say_worse(
    before: AgentState, is_told: bool
) -> None:
    _tripped, *told = after(failed(), replace(before, strikes=(strike(), strike())))
    assert [type(event) for event in told] == [HealthChanged] * is_told


# Trials


@pytest.mark.parametrize(
    ("opens", "wait_ms", "trials"),
    [
        (1, 2 * BREAK.base_ms, "1 trial"),
        (2, 4 * BREAK.base_ms, "2 trials"),
        (4, 16 * BREAK.base_ms, "4 trials"),
        (5, BREAK.cap_ms, "5 trials"),
        (100, BREAK.cap_ms, "100 trials"),
    ],
)
def test_a_failed_trial_doubles_the_wait_and_is_told(opens: int, wait_ms: int, trials: str) -> None:
    bad = known(health=Health.SUSPECT, breaker=breaker_of(opens=opens))
    again, suspect = after(failed(), bad, started_at_ms=NOW_MS - 50_000)
    reason = f"its work failed, and {trials} since: its model failed (model-error)"
    assert again == AgentTripped(
        agent=BAD,
        reason=reason,
        detail=SAYS,
        until_ms=NOW_MS + wait_ms,
        opens=opens + 1,
        tasks=(TASK,),
        settled_ms=100_000,
    )
    assert isinstance(suspect, HealthChanged)
    assert (suspect.reason, suspect.detail) == (reason, SAYS)


@pytest.mark.parametrize("was_harmless", [True, False])
@pytest.mark.parametrize(
    ("event", "is_harmless"),
    [
        (not_started(Blame.NOBODY), True),
        (AttemptDied(run=run_id(TASK, 1), reason="gone"), False),
        (AttemptStopped(run=run_id(TASK, 1)), False),
    ],
)
def test_a_trial_without_a_verdict_changes_only_when_the_next_one_is(
    event: e.Event, is_harmless: bool, was_harmless: bool
) -> None:
    breaker = breaker_of(opens=3, harmless=was_harmless)
    again, *_ = after(event, known(breaker=breaker), started_at_ms=NOW_MS - 200_000)
    assert again == AgentTripped(
        agent=BAD,
        reason=breaker.reason,
        detail=breaker.detail,
        until_ms=NOW_MS + 4 * BREAK.base_ms,
        opens=3,
        harmless=was_harmless and is_harmless,
        settled_ms=breaker.settled_ms,
    )


@pytest.mark.parametrize(
    ("before", "comes_back"),
    [
        (known(health=Health.SUSPECT), True),
        (MISSED, False),
        (known(health=Health.UP), False),
        (known(health=Health.DOWN), False),
    ],
)
def test_a_trial_done_well_is_no_answer_to_a_missed_look(
    before: AgentState, comes_back: bool
) -> None:
    done = AttemptFinished(run=run_id(TASK, 1), ok=True)
    trusted, *back = after(done, replace(before, breaker=breaker_of()))
    assert isinstance(trusted, AgentTrusted)
    assert [type(event) for event in back] == [HealthChanged] * comes_back


BLAMED = TaskBlamed(task=TASK, reason="refused", agents=(AgentName("gone"), BAD))


@pytest.mark.parametrize("harmless", [True, False])
def test_a_blamed_task_brings_back_only_agents_that_it_put_out(harmless: bool) -> None:
    breaker = breaker_of(harmless=harmless)
    its_own = (strike(TASK),) * 3
    bad = known(breaker=breaker, strikes=(strike(), strike(), *its_own))
    assert [type(event) for event in after(BLAMED, bad)] == [AgentTrusted]
    worse = replace(bad, strikes=(strike(), strike(), strike(), *its_own))
    assert after(BLAMED, worse) == [
        AgentTripped(
            agent=BAD,
            reason=breaker.reason,
            detail=breaker.detail,
            until_ms=NOW_MS + BREAK.base_ms,
            harmless=harmless,
            settled_ms=breaker.settled_ms,
        )
    ]
    tries_another = replace(worse, breaker=breaker_of(trial=2))
    assert after(BLAMED, tries_another) == []


def test_of_several_trials_those_that_go_on_for_long_enough_are_trusted() -> None:
    runs = {
        "early": try_(2, "early", started_at_ms=NOW_MS - 89_999, phase=AttemptPhase.RUNNING),
        "planned": try_(2, "planned", phase=AttemptPhase.PLANNED),
        "long": try_(2, "long", started_at_ms=NOW_MS - 90_000, phase=AttemptPhase.RUNNING),
    }
    tasks = [task_of(try_(1, name), run, task=TaskId(f"TASK-{name}")) for name, run in runs.items()]
    out = [
        known(name, breaker=replace(breaker_of(), trial=run_id(TaskId(f"TASK-{name}"), 2)))
        for name in runs
    ]
    state = world([], [known("well"), known("idle", breaker=breaker_of(trial=None)), *out], *tasks)
    assert reconcile_trials(state, NOW_MS) == [
        AgentTrusted(agent=AgentName("long"), reason="a task runs on it for 1m30s")
    ]


def test_only_what_no_probe_tells_is_held_against_an_agent_that_did_not_start_a_run() -> None:
    assert {kind for kind in FailureKind if kind.is_fault} == {
        FailureKind.BAD_ANSWER,
        FailureKind.DISK_FULL,
        FailureKind.CANNOT_WORK,
    }
    told = {
        code for code in LostReason if blame_for_refusal(NotStarted(reason=code)) is Blame.AGENT
    }
    assert told == {LostReason.BAD_ANSWER}
