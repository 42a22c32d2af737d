"""Canary runs: when one begins, what its end says about its agent, and what that costs."""

from typing import Any

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents import canary
from fleet_tui.core.agents.breaker import PROBATION_MS, Breaker, CanaryRun, Probation, Strike
from fleet_tui.core.agents.canary import (
    ABANDONED_MS,
    LIMIT_MS,
    MAX_UNDER_WAY,
    OVERDUE_MS,
    PAYLOAD,
    agent_of_canary,
    canary_order,
    canary_run_id,
    learn_of_canary,
)
from fleet_tui.core.agents.events import (
    AgentTripped,
    AgentTrusted,
    CanaryEnded,
    CanaryStarted,
    HealthChanged,
)
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.outcomes import BREAK, BREAK_AFTER, verdict_on_agents
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.engine.events import EngineModeChanged, EngineStarted, FleetLoaded
from fleet_tui.core.fleet import Prices, TaskClass
from fleet_tui.core.ids import AgentName, Epoch, RunId, Seq, TaskId, run_id
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.step import Memory, RunReported, StepTime, Tick, remember, step
from fleet_tui.core.tasks.attempts import RunReport
from fleet_tui.core.tasks.events import (
    AttemptFinished,
    AttemptNotStarted,
    TaskPending,
    TaskPlaced,
)
from fleet_tui.core.tasks.evidence import (
    Blame,
    Definite,
    Died,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from tests.core.test_outcome_verdicts import FIRST_MS, NOW_MS, task_of, try_
from tests.support.fleets import agent, fleet

BAD = AgentName("bad")
FAILS = Breaker(
    since_ms=NOW_MS - 90_000,
    until_ms=NOW_MS,
    harmless=False,
    reason="3 runs in a row failed: its model failed",
    detail=Untrusted("no such model"),
)
SPEC = replace(agent("bad", slots=2), canary=True, prices=Prices(input_microusd_per_mtok=3_000_000))
RUN = canary_run_id(BAD, NOW_MS)
SAID = Untrusted("429 too many requests")
USED = Usage(input_tokens=20, output_tokens=1)


def failing(name: str = "bad", *, breaker: Breaker = FAILS) -> AgentState:
    return AgentState(name=AgentName(name), health=Health.SUSPECT, breaker=breaker)


def world(*agents: AgentState, is_tried: bool = True) -> FleetState:
    specs = [replace(SPEC, name=one.name, canary=is_tried) for one in agents]
    return FleetState(fleet=fleet(*specs), agents={one.name: one for one in agents}, at_ms=NOW_MS)


def after(state: FleetState, *events: Event, at_ms: int = NOW_MS) -> FleetState:
    rows = [
        Recorded(Seq(state.seq + 1 + n), at_ms, Epoch(1), event) for n, event in enumerate(events)
    ]
    return fold(state, rows)


def tried(**changes: object) -> FleetState:
    """An agent that a canary run tries now."""
    state = after(world(failing()), CanaryStarted(agent=BAD, run=RUN))
    found = state.agents[BAD]
    assert found.breaker is not None
    return replace(
        state,
        agents={BAD: replace(found, breaker=replace(found.breaker, **changes))},
    )


def told(report: RunReport, state: FleetState | None = None, at_ms: int = NOW_MS) -> list[Event]:
    return learn_of_canary(state or tried(), BAD, RUN, report, at_ms)


def reconcile_canaries(state: FleetState, now_ms: int, listens_since_ms: int = 0) -> list[Event]:
    """By an engine that has listened for ever, if nothing else is said."""
    return canary.reconcile_canaries(state, now_ms, listens_since_ms)


# When one begins


def test_one_begins_once_the_wait_is_over_and_no_other_beside_it() -> None:
    state = world(failing())
    assert reconcile_canaries(state, NOW_MS - 1) == []
    begun = reconcile_canaries(state, NOW_MS)
    assert begun == [CanaryStarted(agent=BAD, run=RunId(f"canary-bad.{NOW_MS}"))]
    state = after(state, *begun)
    assert state.agents[BAD].canary == CanaryRun(run=RUN, since_ms=NOW_MS)
    assert not state.agents[BAD].may_be_tried(NOW_MS)
    assert reconcile_canaries(state, NOW_MS + OVERDUE_MS - 1) == []


@pytest.mark.parametrize(
    "found",
    [
        replace(failing(), breaker=None),
        replace(failing(), health=Health.DOWN),
        replace(failing(), failure=FailureKind.GATEWAY_HUNG),
        replace(failing(), cordon=CordonRecord(by="me", reason="", since_ms=0)),
        failing(breaker=replace(FAILS, trial=RunId("T.1"))),
        failing(breaker=replace(FAILS, relapsed=True)),
        replace(failing(), runs=frozenset({RunId("T.1"), RunId("T.2")})),
    ],
    ids=["trusted", "down", "hung", "cordoned", "on-trial", "relapsed", "full"],
)
def test_nobody_else_is_tried(found: AgentState) -> None:
    assert reconcile_canaries(world(found), NOW_MS) == []


def test_one_is_tried_beside_what_it_still_runs() -> None:
    found = replace(failing(), runs=frozenset({RunId("T.1")}))
    assert len(reconcile_canaries(world(found), NOW_MS)) == 1


def test_the_fleet_file_can_say_no() -> None:
    assert reconcile_canaries(world(failing(), is_tried=False), NOW_MS) == []
    gone = replace(world(failing()), fleet=fleet(agent("other")))
    assert reconcile_canaries(gone, NOW_MS) == []


def test_an_engine_that_starts_no_work_begins_none() -> None:
    hold = EngineModeChanged(mode=EngineMode.FROZEN, was=EngineMode.NORMAL, reason="so")
    assert reconcile_canaries(after(world(failing()), hold), NOW_MS) == []


def test_those_that_waited_longest_come_first_and_there_are_not_too_many_at_once() -> None:
    names = [f"a{n:02}" for n in range(MAX_UNDER_WAY + 2)]
    agents = [
        failing(name, breaker=replace(FAILS, until_ms=NOW_MS - place))
        for place, name in enumerate(names)
    ]
    state = world(*agents)
    begun = reconcile_canaries(state, NOW_MS)
    assert [event.agent for event in begun if isinstance(event, CanaryStarted)] == [
        AgentName(name) for name in reversed(names[2:])
    ]
    state = after(state, *begun)
    assert reconcile_canaries(state, NOW_MS) == []
    first = begun[0]
    assert isinstance(first, CanaryStarted)
    state = after(state, *learn_of_canary(state, first.agent, first.run, Definite(ok()), NOW_MS))
    (next_one,) = reconcile_canaries(state, NOW_MS)
    assert isinstance(next_one, CanaryStarted)
    assert next_one.agent == names[1]


def test_what_its_agent_is_told_holds_nothing_of_anybody() -> None:
    order = canary_order(CanaryRun(run=RUN, since_ms=NOW_MS))
    assert order.payload == PAYLOAD
    assert (order.run_id, order.task_id, order.attempt) == (RUN, "canary-bad", NOW_MS)
    assert (order.start_to_close_ms, order.planned_at_ms) == (LIMIT_MS, NOW_MS)
    assert not order.resumable


def test_whose_run_it_is() -> None:
    assert agent_of_canary(RUN) == BAD
    assert agent_of_canary(canary_run_id(AgentName("a.b-c"), 5)) == "a.b-c"
    assert agent_of_canary(run_id(TaskId("01ARZ3NDEKTSV4RRFFQ69G5FAV"), 1)) is None


# What its end says


def ok() -> Finished:
    return Finished(ok=True, usage=USED)


def test_one_that_goes_well_brings_its_agent_back_and_is_paid() -> None:
    state = tried()
    events = told(Definite(ok()), state)
    assert events == [
        CanaryEnded(agent=BAD, run=RUN, ok=True, usage=USED, cost_microusd=60),
        AgentTrusted(agent=BAD, reason="a canary run succeeded", by_canary=True),
        HealthChanged(
            agent=BAD, health=Health.UP, was=Health.SUSPECT, reason="a canary run succeeded"
        ),
    ]
    state = after(state, *events)
    found = state.agents[BAD]
    assert (found.breaker, found.health) == (None, Health.UP)
    assert found.probation == Probation(since_ms=NOW_MS, harmless=False)
    assert found.canaries == (
        CanaryRun(run=RUN, since_ms=NOW_MS, ended_at_ms=NOW_MS, cost_microusd=60),
    )
    assert (found.cost_microusd, found.tokens) == (60, 21)
    assert (state.totals.cost_microusd, state.totals.tokens) == (60, 21)
    assert (found.succeeded, found.failed) == (0, 0)


@pytest.mark.parametrize(
    ("fact", "reason", "detail", "its_doing", "harmless"),
    [
        (
            Finished(ok=False, failure="model-error", detail=SAID),
            "its model failed (model-error)",
            SAID,
            True,
            False,
        ),
        (
            Finished(ok=False, failure="timeout", detail=SAID),
            "its agent stopped it because it took too long (timeout)",
            SAID,
            False,
            False,
        ),
        (
            NotStarted(reason="bad-answer", detail=SAID),
            "its answer is not valid",
            SAID,
            True,
            True,
        ),
        (
            NotStarted(reason="payload-not-text", retryable=False),
            "the task's text is not text that the agent takes",
            NOTHING_SAID,
            True,
            True,
        ),
        (
            NotStarted(reason="gateway-draining", detail=SAID),
            "its gateway is draining",
            SAID,
            False,
            True,
        ),
        (NotStarted(reason="fenced", fenced=True), None, NOTHING_SAID, False, True),
        (Died(reason="process-gone"), None, NOTHING_SAID, False, False),
        (Stopped(), "it was stopped", NOTHING_SAID, False, False),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("only_refused", [True, False])
def test_one_that_does_not_go_well_keeps_it_out(
    fact: Fact,
    reason: str | None,
    detail: Untrusted,
    its_doing: bool,
    harmless: bool,
    only_refused: bool,
) -> None:
    state = tried(harmless=only_refused)
    ended, tripped, *suspect = told(Definite(fact), state, NOW_MS + 700)
    assert isinstance(ended, CanaryEnded)
    assert isinstance(tripped, AgentTripped)
    assert (ended.ok, ended.detail) == (False, detail)
    if reason is not None:
        assert ended.reason == reason
    opens = 2 if its_doing or not harmless else 1  # where nothing ran, nothing was paid
    assert tripped.opens == opens
    assert tripped.until_ms == NOW_MS + 700 + BREAK.ceiling_ms(opens)
    assert tripped.harmless is (only_refused and harmless)
    assert not tripped.relapsed
    assert tripped.tasks == ()
    if its_doing:
        assert tripped.reason == f"its work failed, and 1 trial since: {ended.reason}"
        assert tripped.detail == detail
        assert [type(event) for event in suspect] == [HealthChanged]
    else:
        assert (tripped.reason, tripped.detail) == (FAILS.reason, FAILS.detail)
    state = after(state, ended, tripped, at_ms=NOW_MS + 700)
    assert state.agents[BAD].canary is None
    assert not reconcile_canaries(state, tripped.until_ms - 1)
    assert reconcile_canaries(state, tripped.until_ms)


def test_the_wait_grows_with_what_is_paid_whoever_is_to_blame() -> None:
    """A gateway that restarts under each of its turns is not asked every 15 s for ever."""
    state, waits = world(failing()), []
    for _ in range(4):
        found = state.agents[BAD].breaker
        assert found is not None
        now_ms = found.until_ms
        (begun,) = reconcile_canaries(state, now_ms)
        assert isinstance(begun, CanaryStarted)
        state = after(state, begun, at_ms=now_ms)
        gone = learn_of_canary(state, BAD, begun.run, Definite(Died(reason="lost")), now_ms)
        state = after(state, *gone, at_ms=now_ms)
        again = state.agents[BAD].breaker
        assert again is not None
        assert again.reason == FAILS.reason
        waits.append(again.until_ms - now_ms)
    assert waits == [BREAK.ceiling_ms(n) for n in (2, 3, 4, 5)]


def test_what_one_that_is_gone_has_cost_is_not_known() -> None:
    state = tried()
    state = after(state, *told(Definite(Died(reason="process-gone")), state))
    assert state.agents[BAD].has_unknown_cost
    assert state.agents[BAD].canaries[-1].has_unknown_cost


@pytest.mark.parametrize("fact", [Finished(ok=False, usage=USED), Stopped(usage=USED)])
def test_what_does_not_go_well_is_paid_too(fact: Fact) -> None:
    ended = told(Definite(fact))[0]
    assert isinstance(ended, CanaryEnded)
    assert (ended.usage, ended.cost_microusd) == (USED, 60)


@pytest.mark.parametrize(
    "report",
    [
        Definite(Started()),
        Definite(Running()),
        Unknown(LostReason.CONNECTION_LOST),
    ],
)
def test_news_that_are_no_end_decide_nothing(report: RunReport) -> None:
    assert told(report) == []


@pytest.mark.parametrize(
    "state",
    [
        world(failing()),
        world(),
        after(tried(), CanaryEnded(agent=BAD, run=RUN, ok=False)),
        after(world(failing()), CanaryStarted(agent=BAD, run=RunId("canary-bad.1"))),
    ],
    ids=["none", "gone", "ended", "another"],
)
def test_the_end_of_one_that_is_over_decides_nothing(state: FleetState) -> None:
    assert told(Definite(ok()), state) == []


ENDS = [ok(), Finished(ok=False), NotStarted(reason="bad-answer"), Died(reason="x"), Stopped()]


@pytest.mark.parametrize("fact", ENDS, ids=lambda fact: type(fact).__name__)
def test_one_whose_breaker_is_closed_meanwhile_is_followed_and_paid_and_says_nothing(
    fact: Fact,
) -> None:
    trusted = AgentTrusted(agent=BAD, reason="uncordoned by me", by="me")
    closed = after(tried(), trusted)
    assert closed.agents[BAD].canary is not None
    assert closed.agents[BAD].probation is None
    again = AgentTripped(agent=BAD, reason="so", until_ms=NOW_MS + 9)
    for state in (closed, after(closed, again, at_ms=NOW_MS + 1)):
        (ended,) = told(Definite(fact), state, NOW_MS + 2)
        assert isinstance(ended, CanaryEnded)
        assert ended.ok is (fact == ok())


def test_one_that_began_with_its_breaker_speaks_for_it() -> None:
    at_once = replace(FAILS, since_ms=NOW_MS)
    state = after(world(failing(breaker=at_once)), CanaryStarted(agent=BAD, run=RUN))
    assert len(told(Definite(ok()), state)) == 3


def test_one_is_followed_where_its_agent_left_the_fleet_file() -> None:
    gone = FleetLoaded(spec=fleet(agent("other")), by="me")
    state = after(tried(), gone)
    assert state.agents[BAD].health is Health.RETIRED
    assert state.agents[BAD].breaker is None
    (ended,) = told(Definite(ok()), state)
    assert isinstance(ended, CanaryEnded)
    assert ended.cost_microusd == 60, "at the prices that it had"
    assert BAD not in after(world(failing()), gone).agents
    busy = AgentState(
        name=BAD, runs=frozenset({RunId("T.1")}), probation=Probation(since_ms=1, harmless=True)
    )
    assert after(world(busy), gone).agents[BAD].probation is None


def test_one_whose_end_is_not_heard_of_is_given_up_and_says_nothing_about_the_agent() -> None:
    state = tried()
    assert reconcile_canaries(state, NOW_MS + OVERDUE_MS - 1) == []
    ended, tripped, _ = reconcile_canaries(state, NOW_MS + OVERDUE_MS)
    assert isinstance(ended, CanaryEnded)
    assert isinstance(tripped, AgentTripped)
    assert ended.reason == "no result was received for 5m00s"
    assert ended.usage.unusable, "nobody knows what it has cost"
    assert (tripped.opens, tripped.reason) == (2, FAILS.reason)


def test_one_is_given_up_however_often_those_who_listen_begin_anew() -> None:
    last_ms = NOW_MS + ABANDONED_MS - 1
    assert reconcile_canaries(tried(), last_ms, last_ms) == []
    assert reconcile_canaries(tried(), last_ms + 1, last_ms + 1)


def test_nothing_follows_from_a_time_in_which_nobody_listened() -> None:
    later_ms = NOW_MS + 2 * OVERDUE_MS
    assert reconcile_canaries(tried(), later_ms, later_ms) == []
    assert reconcile_canaries(tried(), later_ms + OVERDUE_MS - 1, later_ms) == []
    assert reconcile_canaries(tried(), later_ms + OVERDUE_MS, later_ms)
    began = EngineStarted(epoch=Epoch(2), version="1", pid=1)
    state = after(tried(), began, at_ms=later_ms)
    assert reconcile_canaries(state, later_ms) == []
    assert reconcile_canaries(state, later_ms + OVERDUE_MS)


def test_each_is_looked_at_whatever_the_others_do() -> None:
    well = AgentState(name=AgentName("well"), health=Health.UP)
    state = world(well, failing("a"), failing("b"))
    begun = reconcile_canaries(state, NOW_MS)
    assert len(begun) == 2
    over = reconcile_canaries(after(state, *begun), NOW_MS + OVERDUE_MS)
    ended = [event.agent for event in over if isinstance(event, CanaryEnded)]
    assert ended == ["a", "b"]


# What it is worth


def follows(
    *, planned_at_ms: int, was_harmless: bool = False, now_ms: int = NOW_MS, **fact: Any
) -> tuple[FleetState, list[Event]]:
    """An agent that a canary run brought back at FIRST_MS, and what follows from one more
    failure."""
    probation = Probation(since_ms=FIRST_MS, harmless=was_harmless)
    found = AgentState(name=BAD, health=Health.UP, probation=probation)
    attempt = try_(1, "bad", started_at_ms=planned_at_ms, planned_at_ms=planned_at_ms)
    task = task_of(attempt, task_class=TaskClass.ONCE)
    state = replace(world(found), open_tasks={task.id: task})
    end: AttemptFinished | AttemptNotStarted = AttemptFinished(
        run=attempt.run_id, ok=False, failure="model-error", detail=SAID, blame=Blame.AGENT
    )
    if fact:
        end = AttemptNotStarted(run=attempt.run_id, blame=Blame.AGENT, **fact)
    return state, verdict_on_agents(state, task, attempt, [end], now_ms)


def test_one_failure_after_it_is_enough_and_from_then_on_tasks_try_the_agent() -> None:
    assert BREAK_AFTER > 1
    state, events = follows(planned_at_ms=FIRST_MS)
    tripped = events[0]
    assert isinstance(tripped, AgentTripped)
    why = "after a successful canary run, its work failed: its model failed (model-error)"
    assert (tripped.reason, tripped.relapsed, tripped.opens) == (why, True, 1)
    state = after(state, *events)
    found = state.agents[BAD]
    assert found.breaker is not None
    assert found.breaker.relapsed
    assert found.probation is None
    assert not found.is_tried_by_canary(SPEC)
    assert reconcile_canaries(state, tripped.until_ms) == []
    assert found.may_be_tried(tripped.until_ms)


def test_what_began_before_it_says_nothing_about_it() -> None:
    """A run that was being tried again while the model was away fails when it is back already."""
    assert follows(planned_at_ms=FIRST_MS - 1)[1] == []


def test_probation_lasts_for_a_while() -> None:
    last_ms = FIRST_MS + PROBATION_MS - 1
    assert follows(planned_at_ms=last_ms, now_ms=last_ms)[1]
    over_ms = last_ms + 1
    state, events = follows(planned_at_ms=over_ms, now_ms=over_ms)
    assert events == [], "one failure is not enough"
    assert state.agents[BAD].on_probation(last_ms)
    assert state.agents[BAD].on_probation(over_ms) is None
    assert AgentState(name=BAD).on_probation(0) is None


@pytest.mark.parametrize("was_harmless", [True, False])
def test_a_refusal_after_it_does_not_make_what_failed_its_runs_harmless(
    was_harmless: bool,
) -> None:
    state, events = follows(planned_at_ms=FIRST_MS, was_harmless=was_harmless, reason="bad-answer")
    tripped = events[0]
    assert isinstance(tripped, AgentTripped)
    assert tripped.harmless is was_harmless
    verb = "did not start" if was_harmless else "failed"
    assert tripped.reason.startswith(f"after a successful canary run, its work {verb}: its ")
    found = after(state, *events).agents[BAD]
    assert found.suits_trials(may_run_again=False) is was_harmless


def test_a_trial_that_fails_leaves_it_to_tasks() -> None:
    attempt = try_(1, "bad", started_at_ms=NOW_MS - 900, planned_at_ms=FIRST_MS)
    found = failing(breaker=replace(FAILS, relapsed=True, trial=attempt.run_id))
    task = task_of(attempt, task_class=TaskClass.IDEMPOTENT)
    state = replace(world(found), open_tasks={task.id: task})
    end = AttemptFinished(run=attempt.run_id, ok=False, failure="model-error", blame=Blame.AGENT)
    again = verdict_on_agents(state, task, attempt, [end], NOW_MS)[0]
    assert isinstance(again, AgentTripped)
    assert again.relapsed
    assert again.tasks == (task.id,)


def test_another_description_of_the_agent_forgets_it() -> None:
    strike = Strike(run=RunId("T.1"), task=TaskId("T"), at_ms=NOW_MS, harmless=False)
    found = replace(failing(), probation=Probation(since_ms=1, harmless=True), strikes=(strike,))
    state = after(world(found), FleetLoaded(spec=fleet(replace(SPEC, slots=3)), by="me"))
    assert state.agents[BAD] == found  # the same program at the same place
    other = replace(SPEC, kind=agent("bad").kind, host=None)
    state = after(world(found), FleetLoaded(spec=fleet(other), by="me"))
    assert state.agents[BAD].breaker is None
    assert state.agents[BAD].probation is None


# In the loop


def test_no_task_is_let_through_to_an_agent_that_a_canary_run_tries() -> None:
    waiting = task_of(task_class=TaskClass.IDEMPOTENT)
    for is_tried, kind in ((True, TaskPending), (False, TaskPlaced)):
        state = replace(world(failing(), is_tried=is_tried), open_tasks={waiting.id: waiting})
        (event,) = Router(state.fleet).schedule(state, {}, NOW_MS)
        assert type(event) is kind
        if isinstance(event, TaskPending):
            assert event.pending.code is PendingCode.STATE


def test_the_loop_begins_it_and_takes_in_its_end() -> None:
    state = world(failing())
    memory: Memory = remember(state)
    begun = step(state, memory, [Tick()], StepTime(NOW_MS, Epoch(1)))
    assert begun.events[0] == CanaryStarted(agent=BAD, run=RUN)
    ended = step(
        begun.state, begun.memory, [RunReported(RUN, Definite(ok()))], StepTime(NOW_MS, Epoch(1))
    )
    learned = [type(event) for event in ended.events[:3]]
    assert learned == [CanaryEnded, AgentTrusted, HealthChanged]
    assert ended.state.agents[BAD].in_service
