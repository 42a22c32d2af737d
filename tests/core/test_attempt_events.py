"""What is recorded of a run, word by word: reasons, costs, waits, and to which run it belongs."""

import pytest

from fleet_tui.core.fleet import Deadlines, RetryPolicy, TaskClass
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.ledger import events as e
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import learn, reconcile_attempts
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptFinished,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    TaskBlamed,
    TaskCancelRequested,
    TaskEnded,
    TaskNeedsOperator,
    TaskPlaced,
    TaskRetrying,
)
from fleet_tui.core.tasks.evidence import (
    Answer,
    Blame,
    Checkpoint,
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
from fleet_tui.core.tasks.model import CancelCause, TaskPhase
from fleet_tui.core.tasks.retry import wait_ms
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import work
from tests.support.task import LOST, PATIENCE_MS, Run

ANSWER = Answer(text=Untrusted("42"))
USAGE = Usage(input_tokens=5, cost_microusd=9)
SAID = Untrusted("what it says")
POLICY = RetryPolicy()


def mark(sha256: str) -> Checkpoint:
    return Checkpoint(text=Untrusted("page 1"), sha256=sha256)


def said(run: Run, fact: Fact) -> list[e.Event]:
    """What a word of the newest run becomes."""
    events = learn(run.story.state, run.run, Definite(fact), run.story.now_ms)
    run.story.add(*events)
    return events


def retrying(run: Run, reason: str, tries: int = 1) -> TaskRetrying:
    return TaskRetrying(
        task=run.id,
        not_before_ms=run.story.now_ms + wait_ms(POLICY, tries, run.run),
        reason=reason,
    )


def ended(run: Run, phase: TaskPhase, reason: str = "") -> TaskEnded:
    return TaskEnded(task=run.id, phase=phase, reason=reason)


def running(task_class: TaskClass = TaskClass.ONCE, retry: RetryPolicy | None = None) -> Run:
    run = Run(task_class, retry=retry)
    run.fact(Started())
    return run


def test_a_result_is_recorded_as_it_came() -> None:
    fact = Finished(ok=True, answer=ANSWER, usage=USAGE, detail=SAID)
    run = running()
    assert said(run, fact) == [
        AttemptFinished(
            run=run.run, ok=True, answer=ANSWER, usage=USAGE, cost_microusd=9, detail=SAID
        ),
        ended(run, TaskPhase.SUCCEEDED),
    ]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("exit-3", "exit-3"),
        ("", "it failed"),
        ("timeout", "its agent stopped it because it took too long (timeout)"),
    ],
)
def test_a_failure_is_recorded_with_its_word(failure: str, reason: str) -> None:
    run = running()
    assert said(run, Finished(ok=False, failure=failure))[1:] == [
        ended(run, TaskPhase.FAILED, reason)
    ]
    run = running(TaskClass.IDEMPOTENT)
    assert said(run, Finished(ok=False, failure=failure))[1:] == [retrying(run, reason)]


def test_what_a_stopped_run_used_is_recorded() -> None:
    run = running()
    run.story.add(AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR))
    assert said(run, Stopped(usage=USAGE)) == [
        AttemptStopped(run=run.run, usage=USAGE, cost_microusd=9),
        ended(run, TaskPhase.CANCELLED, "cancelled by operator"),
    ]


@pytest.mark.parametrize(
    "fact", [Stopped(), Died(reason="gone"), Finished(ok=False), NotStarted(reason="fenced")]
)
def test_a_task_that_was_to_be_cancelled_ends_as_that_and_says_by_whom(fact: Fact) -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.story.add(TaskCancelRequested(task=run.id, by="ann"))
    assert said(run, fact)[1:] == [ended(run, TaskPhase.CANCELLED, "cancelled by ann")]


def test_a_run_that_made_room_goes_back_to_the_queue_as_after_a_first_try() -> None:
    run = running()
    run.story.add(AttemptCancelling(run=run.run, cause=CancelCause.PREEMPTION))
    assert said(run, Stopped())[1:] == [retrying(run, "preempted")]


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (CancelCause.DEADLINE, "timed out and was stopped"),
        (CancelCause.HEARTBEAT, "fell silent and was stopped"),
    ],
)
def test_a_run_that_was_stopped_for_its_time_follows_the_class(
    cause: CancelCause, reason: str
) -> None:
    for task_class in (TaskClass.IDEMPOTENT, TaskClass.ONCE):
        run = running(task_class)
        run.story.add(AttemptCancelling(run=run.run, cause=cause))
        again = task_class is TaskClass.IDEMPOTENT
        then = retrying(run, reason) if again else ended(run, TaskPhase.FAILED, reason)
        assert said(run, Stopped())[1:] == [then]


@pytest.mark.parametrize("task_class", [TaskClass.IDEMPOTENT, TaskClass.ONCE])
def test_a_run_that_somebody_else_stopped_was_cancelled_by_nobody_here(
    task_class: TaskClass,
) -> None:
    run = running(task_class)
    reason = f"was stopped on {run.task.attempts[-1].agent}, not from here"
    if task_class is TaskClass.IDEMPOTENT:
        then: e.Event = retrying(run, reason)
    else:
        doubt = f"{reason}; it may have had effects"
        then = TaskNeedsOperator(task=run.id, reason=doubt)
    assert said(run, Stopped())[1:] == [then]


def test_what_cannot_be_retried_fails_in_the_agents_words() -> None:
    run = Run()
    refused = NotStarted(reason="payload-too-large", retryable=False)
    assert said(run, refused)[1:] == [
        ended(run, TaskPhase.FAILED, "the task's text is larger than the agent takes")
    ]


def gone(agent: AgentName, why: str = 'its agent says "gone"') -> str:
    return f"the run on {agent} is gone: {why}"


def test_a_death_without_a_try_left_says_how_it_died() -> None:
    run = running(TaskClass.IDEMPOTENT, retry=RetryPolicy(max_attempts=1))
    agent = run.task.attempts[0].agent
    assert said(run, Died(reason="process-gone")) == [
        AttemptDied(run=run.run, reason="process-gone"),
        ended(run, TaskPhase.FAILED, gone(agent, "its processes are gone and left no exit status")),
    ]


def test_each_try_that_did_not_start_makes_the_next_wait_longer() -> None:
    run = Run()
    for tries in range(1, 6):
        agent = run.task.attempts[-1].agent
        told = said(run, NotStarted(reason="draining", fenced=True))[1:]
        assert told == [
            retrying(run, f'{agent} did not start it: its agent says "draining"', tries)
        ]
        run.place()


class AtOnce(Run):
    """A run that is planned in the millisecond in which it is asked for."""

    def place(self) -> RunId:
        state = self.story.state
        events = Router(state.fleet).schedule(state, {}, self.story.now_ms)
        self.story.add(*events)
        (placed,) = (event for event in events if isinstance(event, TaskPlaced))
        self.run = placed.run
        return placed.run


def test_a_try_in_the_millisecond_of_the_submission_counts() -> None:
    run = AtOnce(TaskClass.IDEMPOTENT, retry=RetryPolicy(max_attempts=1))
    assert run.task.attempts[0].planned_at_ms == run.task.asked_at_ms
    run.fact(Started())
    assert said(run, Died(reason="gone"))[1:] == [
        ended(run, TaskPhase.FAILED, gone(run.task.attempts[0].agent))
    ]
    run = AtOnce()
    run.fact(NotStarted(reason="draining", fenced=True))
    Run.place(run)
    told = said(run, NotStarted(reason="draining", fenced=True))[1]
    assert isinstance(told, TaskRetrying)
    assert told == retrying(run, told.reason, tries=2)


def test_a_start_in_the_millisecond_of_the_submission_is_in_time() -> None:
    run = AtOnce(TaskClass.IDEMPOTENT, Deadlines(schedule_to_start_ms=5_000))
    run.fact(Started())
    run.fact(Died(reason="gone"))
    assert run.task.phase is TaskPhase.WAITING
    assert run.later(5_000) == []


def test_a_run_that_the_agent_took_up_again_is_told_once() -> None:
    run = running()
    assert said(run, Running()) == []
    seen = AttemptSeen(run=run.run, resumed_by_agent=True)
    assert said(run, Running(resumed_by_agent=True)) == [seen]
    assert said(run, Running(resumed_by_agent=True)) == []
    run.hear(LOST)
    assert said(run, Running()) == [AttemptSeen(run=run.run)]


def test_a_run_that_is_stopped_on_its_host_or_goes_on_is_told_once() -> None:
    run = running()
    stopped = AttemptSuspended(run=run.run, suspended=True)
    assert said(run, Running(suspended=True)) == [stopped]
    assert run.task.attempts[0].suspended_at_ms == run.story.now_ms
    assert said(run, Running(suspended=True)) == []
    run.hear(LOST)
    assert said(run, Running()) == [
        AttemptSeen(run=run.run),
        AttemptSuspended(run=run.run, suspended=False),
    ]
    assert run.task.attempts[0].suspended_at_ms is None
    assert said(run, Running()) == []


def test_the_checkpoint_in_the_word_of_a_death_is_one_to_go_on_from() -> None:
    run = running(TaskClass.RESUMABLE)
    agent = run.task.attempts[0].agent
    assert said(run, Died(reason="gone", checkpoint=mark("a"))) == [
        AttemptCheckpointed(run=run.run, checkpoint=mark("a")),
        AttemptDied(run=run.run, reason="gone"),
        retrying(run, gone(agent)),
    ]
    run.place()
    run.fact(Started())
    second = run.task.attempts[1]
    assert said(run, Died(reason="gone", checkpoint=mark("b"))) == [
        AttemptCheckpointed(run=second.run_id, checkpoint=mark("b")),
        AttemptDied(run=second.run_id, reason="gone"),
        retrying(run, gone(second.agent), tries=2),
    ]


def test_a_cancel_that_is_not_taken_is_recorded_in_the_agents_words() -> None:
    run = running()
    word = Unknown(LostReason.CANNOT_CANCEL, detail=SAID)
    assert learn(run.story.state, run.run, word, run.story.now_ms) == [
        AttemptCancelRefused(run=run.run, detail=SAID)
    ]


# Late


def test_a_late_result_is_recorded_as_it_came() -> None:
    run = running()
    run.hear(LOST)
    run.later(PATIENCE_MS)
    fact = Finished(ok=False, failure="exit-1", answer=ANSWER, usage=USAGE, detail=SAID)
    late = AttemptLate(
        run=run.run,
        ok=False,
        failure="exit-1",
        detail=SAID,
        answer=ANSWER,
        usage=USAGE,
        cost_microusd=9,
    )
    assert said(run, fact) == [late]


def test_the_result_of_a_run_that_was_thought_dead_is_attached_and_that_of_others_is_not() -> None:
    run = running()
    run.fact(Died(reason="gone"))
    assert [type(event) for event in said(run, Finished(ok=True))] == [AttemptLate]
    run = Run()
    run.fact(NotStarted(reason="draining", fenced=True))
    assert said(run, Finished(ok=True)) == []


def test_a_proof_that_it_never_started_is_followed_by_a_first_wait() -> None:
    run = Run()
    agent = run.task.attempts[0].agent
    run.hear(LOST)
    run.later(PATIENCE_MS)
    told = said(run, NotStarted(reason="fenced", fenced=True))[1:]
    assert told == [retrying(run, f"{agent} says that it never started, and no longer can")]


# Time


def overdue(run: Run, at_ms: int) -> list[e.Event]:
    return reconcile_attempts(run.story.state, at_ms)


def test_a_run_is_stopped_at_its_limit_and_not_a_millisecond_before() -> None:
    for deadlines in (
        Deadlines(start_to_close_ms=60_000),
        Deadlines(start_to_close_ms=None, total_ms=60_000),
    ):
        run = Run(deadlines=deadlines)
        run.story.now_ms += 100_000
        run.fact(Started())
        attempt = run.task.attempts[0]
        assert attempt.started_at_ms is not None
        total = deadlines.total_ms is not None
        limit_ms = (run.task.asked_at_ms if total else attempt.started_at_ms) + 60_000
        assert overdue(run, limit_ms - 1) == []
        assert overdue(run, limit_ms) == [
            AttemptCancelling(run=run.run, cause=CancelCause.DEADLINE)
        ]


def test_a_task_whose_whole_time_is_up_expires_and_says_so() -> None:
    run = Run(TaskClass.IDEMPOTENT, Deadlines(total_ms=60_000))
    run.fact(NotStarted(reason="draining", fenced=True))
    limit_ms = run.task.asked_at_ms + 60_000
    assert overdue(run, limit_ms - 1) == []
    assert overdue(run, limit_ms) == [ended(run, TaskPhase.EXPIRED, "total deadline passed")]


def test_nobody_is_to_blame_for_a_fence() -> None:
    run = Run()
    (event, _) = said(run, NotStarted(reason="fenced", detail=SAID, fenced=True))
    assert event == AttemptNotStarted(
        run=run.run, reason="fenced", detail=SAID, fenced=True, blame=Blame.NOBODY
    )


def do_other_work_well(run: Run) -> None:
    """Fill every free slot with other tasks, and end them well."""
    story = run.story
    story.submit_many(work(), sum(spec.slots for spec in story.state.fleet.agents.values()))
    story.now_ms += 1
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    others = [a for t in story.state.open_tasks.values() if t.id != run.id for a in t.attempts]
    for attempt in others:
        for fact in (Started(), Finished(ok=True, answer=ANSWER)):
            story.add(*learn(story.state, attempt.run_id, Definite(fact), story.now_ms))


def test_a_task_that_every_agent_fails_at_once_in_the_same_way_ends_and_is_blamed() -> None:
    run = Run(TaskClass.IDEMPOTENT, retry=RetryPolicy(max_attempts=9))
    first = run.task.attempts[0].agent
    run.fact(Started())
    run.fact(Finished(ok=False, failure="agent-error"))
    run.place()
    second = run.task.attempts[1].agent
    assert first != second
    run.fact(Started())
    do_other_work_well(run)
    finished, blamed, end, *_ = said(run, Finished(ok=False, failure="agent-error"))
    assert isinstance(finished, AttemptFinished)
    assert finished.blame is Blame.AGENT
    assert isinstance(blamed, TaskBlamed)
    assert blamed.agents == (first, second)
    assert end == ended(run, TaskPhase.FAILED, blamed.reason)


@pytest.mark.parametrize(("withdrawn", "events"), [(True, [AttemptTold]), (False, [])])
def test_only_an_agent_that_gave_a_run_back_proves_late_that_it_never_began(
    withdrawn: bool, events: list[type[e.Event]]
) -> None:
    run = running(TaskClass.IDEMPOTENT)
    run.hear(LOST)
    run.later(PATIENCE_MS)
    told = said(run, NotStarted(reason="gateway-draining", withdrawn=withdrawn))
    assert [type(event) for event in told] == events
