"""What each fact about a task or a run changes of the state, and that it changes nothing else."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.fold import excused, with_run, without_run
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import Epoch, RunId, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import Candidate, Pending, PendingCode, RoutingDecision
from fleet_tui.core.routing.record import MAX_DECISIONS, DecisionRecord
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptLate,
    AttemptNotStarted,
    AttemptStarted,
    AttemptStopped,
    AttemptTold,
    AttemptUnknown,
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
    TaskEvent,
    TaskExpedited,
    TaskHeld,
    TaskNeedsOperator,
    TaskPending,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import Blame, LateWord, LostReason, Usage
from fleet_tui.core.tasks.fold_attempt import next_attempt
from fleet_tui.core.tasks.keys import key_mark
from fleet_tui.core.tasks.model import (
    Attempt,
    AttemptPhase,
    CancelCause,
    HoldRecord,
    Starts,
    Task,
    TaskPhase,
)
from tests.support.fleets import work
from tests.support.midway import (
    A1,
    A2,
    AT_WORK,
    BEFORE,
    CHOSEN,
    DEAD,
    FAILED,
    GENERAL,
    GONE,
    GPU,
    NEW,
    NOW_MS,
    RUN,
    RUNNING,
    RUNS,
    STRUCK,
    TOTALS,
    WAITING,
    WAITS,
    after,
    but,
    with_task,
)

NOBODY = replace(CHOSEN, candidates=(), fitting=0)
USAGE = Usage(input_tokens=5, output_tokens=7)
CLOSED = [phase for phase in TaskPhase if phase.is_closed]


def closed(task: Task, **changes: object) -> FleetState:
    """The state with this task among those that ended and are no dead letters."""
    kept = {name: t for name, t in BEFORE.open_tasks.items() if name != task.id}
    dead = {name: t for name, t in BEFORE.dead_letters.items() if name != task.id}
    counts = {Priority.P2: len(kept)}
    return but(
        open_tasks=kept,
        closed_tasks={task.id: task},
        dead_letters=dead,
        open_by_priority=counts,
        **changes,
    )


def reopened(**changes: object) -> FleetState:
    """The state with the dead letter among the open tasks."""
    return with_task(replace(FAILED, **changes), dead_letters={}, open_by_priority={Priority.P2: 3})


def test_a_submitted_task_waits_and_its_key_stands_for_it() -> None:
    spec = work("other", client="acme", priority=Priority.P0)
    submitted = TaskSubmitted(
        task=NEW, number=4, key="key-4", spec=spec, by="you", payload_sha256="sha-4"
    )
    task = Task(
        id=NEW,
        number=4,
        key="key-4",
        spec=spec,
        by="you",
        submitted_at_ms=NOW_MS,
        payload_sha256="sha-4",
        pending=Pending(code=PendingCode.NEW, since_ms=NOW_MS),
    )
    assert after(submitted) == with_task(
        task,
        keys={"key-4": key_mark(NEW, spec, "sha-4")},
        open_by_priority={Priority.P2: 2, Priority.P0: 1},
        open_by_client={"acme": 1},
        totals=replace(TOTALS, submitted=4),
    )


def placed(task: TaskId, number: int, decision: RoutingDecision = CHOSEN) -> TaskPlaced:
    assert decision.chosen is not None
    run = RunId(f"{task}.{number}")
    return TaskPlaced(task=task, run=run, number=number, agent=decision.chosen, decision=decision)


def recorded(
    task: Task, decision: RoutingDecision, attempt: int, pending: Pending | None = None
) -> DecisionRecord:
    return DecisionRecord(
        seq=but().seq,
        at_ms=NOW_MS,
        task=task.id,
        task_number=task.number,
        priority=task.spec.priority,
        decision=decision,
        attempt=attempt,
        pending=pending,
    )


def test_a_placed_task_has_a_planned_run_of_this_engine_and_holds_a_slot() -> None:
    run = Attempt(
        run_id=RunId("WAITS.1"),
        number=1,
        agent=A1,
        phase=AttemptPhase.PLANNED,
        planned_at_ms=NOW_MS,
        decision=CHOSEN,
        epoch=Epoch(3),
    )
    task = replace(WAITING, phase=TaskPhase.ACTIVE, pending=None, attempts=(run,))
    assert after(placed(WAITS, 1)) == with_task(
        task,
        agents={**BEFORE.agents, A1: with_run(AT_WORK, run)},
        recent_starts=(*BEFORE.recent_starts, Starts(NOW_MS // 1_000, first=1)),
        turns={GPU: A2, GENERAL: A1},
        decisions=(recorded(task, CHOSEN, 1),),
        totals=replace(TOTALS, attempts=62, decisions=72),
    )


def test_a_further_try_counts_as_a_retry() -> None:
    waits = replace(WAITING, attempts=RUNNING.attempts)
    told = after(placed(WAITS, 3), state=replace(BEFORE, open_tasks={WAITS: waits}))
    assert told.recent_starts[-1] == Starts(NOW_MS // 1_000, retries=1)
    assert [a.number for a in told.open_tasks[WAITS].attempts] == [1, 2, 3]


def test_a_task_that_is_placed_on_nobody_that_is_known_or_in_no_pool_is_placed() -> None:
    gone = replace(CHOSEN, candidates=(Candidate(agent=GONE, score=1.0),), pool=None)
    told = after(placed(WAITS, 1, gone))
    assert (told.agents, told.turns) == (BEFORE.agents, BEFORE.turns)
    assert told.open_tasks[WAITS].phase is TaskPhase.ACTIVE


def test_a_reason_to_wait_is_kept_and_its_decision_is_a_line_of_the_routing_pane() -> None:
    busy = Pending(code=PendingCode.CAPACITY, since_ms=NOW_MS, decision=NOBODY)
    waits = replace(WAITING, pending=busy)
    assert after(TaskPending(task=WAITS, pending=busy)) == with_task(
        waits,
        decisions=(recorded(waits, NOBODY, 0, busy),),
        totals=replace(TOTALS, decisions=72),
    )
    spent = Pending(code=PendingCode.RETRY_BUDGET, since_ms=NOW_MS)
    assert after(TaskPending(task=WAITS, pending=spent)) == with_task(
        replace(WAITING, pending=spent)
    )


def test_the_newest_decisions_are_kept() -> None:
    busy = Pending(code=PendingCode.CAPACITY, since_ms=NOW_MS, decision=NOBODY)
    event = TaskPending(task=WAITS, pending=busy)
    told = after(*[event] * (MAX_DECISIONS - 1))
    more = after(event, event, event, state=told)
    assert [d.seq for d in more.decisions] == list(range(10, 10 + MAX_DECISIONS))
    assert more.totals.decisions == TOTALS.decisions + MAX_DECISIONS + 2


def test_a_task_goes_back_to_the_queue() -> None:
    before = replace(RUNNING, cancel_requested_by="me", dropped_by="me", ended_at_ms=5)
    state = replace(BEFORE, open_tasks={WAITS: WAITING, RUNS: before})
    retrying = TaskRetrying(task=RUNS, not_before_ms=70_000, reason="the host restarted")
    waits = replace(
        RUNNING,
        phase=TaskPhase.WAITING,
        not_before_ms=70_000,
        reason="the host restarted",
        pending=Pending(code=PendingCode.BACKOFF, since_ms=NOW_MS, detail="the host restarted"),
    )
    assert after(retrying, state=state) == with_task(waits)


@pytest.mark.parametrize(("not_before_ms", "asked_ms"), [(70_000, 70_000), (NOW_MS - 9, NOW_MS)])
def test_a_task_that_had_ended_is_asked_anew_when_its_turn_is(
    not_before_ms: int, asked_ms: int
) -> None:
    again = TaskRetrying(
        task=DEAD, not_before_ms=not_before_ms, reason="again", duplicate_possible=True
    )
    assert after(again) == reopened(
        phase=TaskPhase.WAITING,
        not_before_ms=not_before_ms,
        requeued_at_ms=asked_ms,
        duplicate_possible=True,
        cancel_requested_by=None,
        reason="again",
        ended_at_ms=None,
        pending=Pending(code=PendingCode.BACKOFF, since_ms=NOW_MS, detail="again"),
    )


def test_a_retry_keeps_when_the_task_was_asked_and_that_it_may_run_twice() -> None:
    before = replace(RUNNING, requeued_at_ms=15_000, duplicate_possible=True)
    state = replace(BEFORE, open_tasks={RUNS: before})
    told = after(TaskRetrying(task=RUNS, not_before_ms=1, reason="x"), state=state)
    assert told.open_tasks[RUNS].requeued_at_ms == 15_000
    assert told.open_tasks[RUNS].duplicate_possible


def test_agents_that_a_task_made_fail_are_excused() -> None:
    blamed = replace(FAILED, attempts=(replace(FAILED.attempts[0], blame=Blame.AGENT),))
    state = replace(BEFORE, dead_letters={DEAD: blamed})
    event = TaskBlamed(task=DEAD, reason="refused", agents=(A1, GONE, A2))
    told = after(event, state=state)
    assert told == replace(
        but(),
        dead_letters={DEAD: blamed},
        agents={A1: excused(AT_WORK, blamed), A2: excused(STRUCK, blamed)},
    )
    assert told.agents != BEFORE.agents
    only = after(replace(event, agents=(A1,)), state=state)
    assert only.agents == {A1: excused(AT_WORK, blamed), A2: STRUCK}


def test_a_task_that_needs_an_operator_waits_for_nothing_else() -> None:
    event = TaskNeedsOperator(task=WAITS, reason="nobody knows")
    assert after(event) == with_task(
        replace(WAITING, phase=TaskPhase.NEEDS_OPERATOR, reason="nobody knows", pending=None)
    )


@pytest.mark.parametrize(
    ("verdict", "again"),
    [(Verdict.RAN, False), (Verdict.DID_NOT_RUN, True), (Verdict.RUN_AGAIN, True)],
)
def test_a_verdict_is_on_the_newest_run_and_may_ask_for_the_task_anew(
    verdict: Verdict, again: bool
) -> None:
    before = replace(RUNNING, requeued_at_ms=15_000)
    state = replace(BEFORE, open_tasks={WAITS: WAITING, RUNS: before})
    event = TaskResolved(task=RUNS, verdict=verdict, by="you", reason="saw it")
    assert after(event, state=state) == with_task(
        replace(
            before,
            reason="you: saw it",
            judged=RUN,
            requeued_at_ms=NOW_MS if again else 15_000,
        )
    )
    untried = after(replace(event, task=WAITS)).open_tasks[WAITS]
    assert untried.judged is None


HELD = HoldRecord(by="me", reason="r", since_ms=2)

QUEUED: list[tuple[Task, TaskEvent, Task]] = [
    (
        WAITING,
        TaskCancelRequested(task=WAITS, by="you"),
        replace(WAITING, cancel_requested_by="you"),
    ),
    (
        WAITING,
        TaskHeld(task=WAITS, by="you", reason="not now"),
        replace(
            WAITING,
            hold=HoldRecord(by="you", reason="not now", since_ms=NOW_MS),
            pending=Pending(code=PendingCode.HOLD, since_ms=NOW_MS, detail="held by you: not now"),
        ),
    ),
    (
        WAITING,
        TaskHeld(task=WAITS, by="you"),
        replace(
            WAITING,
            hold=HoldRecord(by="you", reason="", since_ms=NOW_MS),
            pending=Pending(code=PendingCode.HOLD, since_ms=NOW_MS, detail="held by you"),
        ),
    ),
    (
        replace(WAITING, hold=HELD),
        TaskReleased(task=WAITS, by="you"),
        replace(WAITING, pending=Pending(code=PendingCode.NEW, since_ms=NOW_MS)),
    ),
    (
        replace(RUNNING, id=WAITS, hold=HELD),
        TaskReleased(task=WAITS, by="you"),
        replace(RUNNING, id=WAITS, pending=None),
    ),
    (
        WAITING,
        TaskExpedited(task=WAITS, by="you"),
        replace(WAITING, expedited_at_ms=NOW_MS),
    ),
    (
        WAITING,
        TaskEdited(task=WAITS, spec=work("other"), payload_sha256="sha-9", by="you"),
        replace(WAITING, spec=work("other"), payload_sha256="sha-9", asked=WAITING.spec),
    ),
    (
        replace(WAITING, asked=work("first")),
        TaskEdited(task=WAITS, spec=work("other"), payload_sha256="sha-9", by="you"),
        replace(WAITING, spec=work("other"), payload_sha256="sha-9", asked=work("first")),
    ),
]


@pytest.mark.parametrize(("before", "event", "expected"), QUEUED)
def test_what_operators_do_to_a_waiting_task(
    before: Task, event: TaskEvent, expected: Task
) -> None:
    state = replace(BEFORE, open_tasks={**BEFORE.open_tasks, WAITS: before})
    assert after(event, state=state) == with_task(expected)


@pytest.mark.parametrize("asked", [None, work("first")])
def test_another_priority_is_another_lane_and_what_was_asked_first_is_kept(
    asked: object,
) -> None:
    before = replace(WAITING, asked=asked)
    state = replace(BEFORE, open_tasks={**BEFORE.open_tasks, WAITS: before})
    event = TaskReprioritized(task=WAITS, priority=Priority.P0, by="you")
    assert after(event, state=state) == with_task(
        replace(
            before,
            spec=replace(WAITING.spec, priority=Priority.P0),
            asked=asked or WAITING.spec,
        ),
        open_by_priority={Priority.P2: 1, Priority.P0: 1},
    )


def test_a_dropped_dead_letter_is_a_closed_task_and_counted() -> None:
    assert after(TaskDropped(task=DEAD, by="you", reason="old")) == replace(
        closed(replace(FAILED, dropped_by="you")),
        totals=replace(TOTALS, dropped=52),
        open_by_priority=BEFORE.open_by_priority,
    )


@pytest.mark.parametrize("phase", CLOSED)
def test_a_task_that_ends_is_counted_by_how_it_ends(phase: TaskPhase) -> None:
    ended = replace(WAITING, phase=phase, reason="so", ended_at_ms=NOW_MS, pending=None)
    field = phase.value
    totals = replace(TOTALS, **{field: getattr(TOTALS, field) + 1})
    expected = closed(ended, totals=totals)
    if phase in (TaskPhase.FAILED, TaskPhase.EXPIRED):
        dead = {**BEFORE.dead_letters, WAITS: ended}
        expected = replace(expected, closed_tasks={}, dead_letters=dead)
    assert after(TaskEnded(task=WAITS, phase=phase, reason="so")) == expected


@pytest.mark.parametrize("phase", [phase for phase in TaskPhase if not phase.is_closed])
def test_a_task_cannot_end_in_a_phase_that_is_no_end(phase: TaskPhase) -> None:
    with pytest.raises(AssertionError, match=phase.value):
        after(TaskEnded(task=WAITS, phase=phase))


def test_a_fact_about_a_task_or_run_that_is_not_known_changes_nothing() -> None:
    assert after(TaskDropped(task=NEW, by="you", reason="old")) == but()
    for run in ("NEW.1", "RUNS.0", "RUNS.3", "RUNS.-1"):
        assert after(AttemptDied(run=RunId(run), reason="gone")) == but()


RUN_EVENTS: list[AttemptEvent] = [
    AttemptUnknown(run=RUN, reason=LostReason.HUNG),
    AttemptCancelling(run=RUN, cause=CancelCause.OPERATOR),
    AttemptDied(run=RUN, reason="process-gone"),
    AttemptNotStarted(run=RUN, reason="full", blame=Blame.AGENT),
    AttemptFinished(run=RUN, ok=True),
    AttemptFinished(run=RUN, ok=False, usage=USAGE, cost_microusd=9),
    AttemptFinished(run=RUN, ok=False, usage=USAGE),
    AttemptFinished(run=RUN, ok=False, cost_microusd=9),
    AttemptStopped(run=RUN, usage=USAGE, cost_microusd=9),
]


@pytest.mark.parametrize("event", RUN_EVENTS)
def test_a_fact_about_a_run_changes_the_run_and_its_end_frees_the_slot(
    event: AttemptEvent,
) -> None:
    earlier, before = RUNNING.attempts
    now = next_attempt(before, event, NOW_MS)
    agent, totals = AT_WORK, TOTALS
    if isinstance(event, AttemptFinished | AttemptStopped):
        tokens, cost = event.usage.total_tokens, event.cost_microusd
        agent = replace(agent, cost_microusd=100 + cost, tokens=10 + tokens)
        totals = replace(totals, cost_microusd=1_000 + cost, tokens=100 + tokens)
    if not now.phase.is_open:
        agent = without_run(agent, now, NOW_MS)
    task = replace(RUNNING, attempts=(earlier, now))
    assert after(event) == with_task(task, agents={**BEFORE.agents, A1: agent}, totals=totals)


LATE: list[AttemptLate | AttemptTold] = [
    AttemptLate(run=RUNNING.attempts[0].run_id, ok=True, usage=USAGE, cost_microusd=9),
    AttemptTold(
        run=RUNNING.attempts[0].run_id, says=LateWord.STOPPED, usage=USAGE, cost_microusd=9
    ),
]


@pytest.mark.parametrize("event", LATE)
def test_what_is_told_late_of_an_earlier_run_is_paid_and_frees_nothing(
    event: AttemptLate | AttemptTold,
) -> None:
    earlier, newest = RUNNING.attempts
    task = replace(RUNNING, attempts=(next_attempt(earlier, event, NOW_MS), newest))
    assert after(event) == with_task(
        task,
        agents={**BEFORE.agents, A1: replace(AT_WORK, cost_microusd=109, tokens=22)},
        totals=replace(TOTALS, cost_microusd=1_009, tokens=112),
    )


def test_a_run_of_an_agent_that_is_not_known_any_more_is_paid_all_the_same() -> None:
    told = after(
        AttemptFinished(run=RUN, ok=True, usage=USAGE, cost_microusd=9),
        state=replace(BEFORE, agents={}),
    )
    assert told.agents == {}
    assert (told.totals.cost_microusd, told.totals.tokens) == (1_009, 112)


def test_facts_of_one_batch_see_each_other() -> None:
    told = after(placed(WAITS, 1), AttemptStarted(run=RunId("WAITS.1")))
    (run,) = told.open_tasks[WAITS].attempts
    assert run.phase is AttemptPhase.RUNNING
    assert told.agents[A1].runs == {RUN, RunId("WAITS.1")}
