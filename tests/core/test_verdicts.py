"""A person's verdict: about the run that they looked at, and nothing goes round it."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import Deadlines, TaskClass
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.tasks.attempts import LISTEN_FIRST_MS, MAX_UNSTARTED
from fleet_tui.core.tasks.commands import Cancel, Requeue, Resolve, Verdict
from fleet_tui.core.tasks.events import AttemptGivenUp, TaskEnded, TaskResolved, TaskRetrying
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Died,
    Fact,
    Finished,
    NotStarted,
    Running,
    Started,
    Stopped,
)
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.tasks.verdicts import awaits_verdict, in_doubt, not_judged, verdict_on
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import LOST, PATIENCE_MS, Run

Way = Callable[[Run], Run]


def ask(run: Run, command: Command) -> Decided | Refused:
    decision = decide(run.story.state, "ann", command, run.story.now_ms)
    if isinstance(decision, Decided):
        run.story.add(*decision.events)
    return decision


def judge(run: Run, verdict: Verdict) -> Decided | Refused:
    """A verdict on the newest run."""
    return ask(run, Resolve(task=run.id, run=run.run, verdict=verdict, reason="looked"))


def given_up(run: Run) -> Run:
    """Started, lost, and no sign of life for too long."""
    run.fact(Started())
    run.hear(LOST)
    run.later(PATIENCE_MS)
    return run


def test_a_verdict_on_a_run_that_is_not_the_newest_any_more_changes_nothing() -> None:
    run = given_up(Run())
    first = run.run
    assert isinstance(judge(run, Verdict.RUN_AGAIN), Decided)
    second = run.place()
    run.fact(Started())
    run.hear(LOST)
    before = run.story.state
    late = Resolve(task=run.id, run=first, verdict=Verdict.DID_NOT_RUN, reason="looked")
    refused = ask(run, late)
    assert isinstance(refused, Refused)
    assert refused.code == "other-run"
    assert first in refused.text
    assert f"now it is {second} on " in refused.text
    assert run.story.state is before
    assert run.phase is AttemptPhase.UNKNOWN
    assert isinstance(judge(run, Verdict.DID_NOT_RUN), Decided)
    assert run.task.phase is TaskPhase.WAITING


@pytest.mark.parametrize("verdict", [Verdict.DID_NOT_RUN, Verdict.RUN_AGAIN])
def test_that_a_task_may_be_done_twice_stays_with_it_and_is_told(verdict: Verdict) -> None:
    run = given_up(Run())
    asked = judge(run, verdict)
    twice = verdict is Verdict.RUN_AGAIN
    assert isinstance(asked, Decided)
    told = [narrate(event, run.story.state) for event in asked.events]
    assert any(s is not None and "it may run twice" in s.text for s in told) is twice
    run.place()
    run.fact(Started())
    run.fact(Finished(ok=True))
    assert run.task.phase is TaskPhase.SUCCEEDED
    assert run.task.duplicate_possible is twice


def test_a_verdict_is_on_the_run_that_was_seen() -> None:
    run = given_up(Run())
    asked = verdict_on(run.task, Verdict.RAN, "looked")
    assert asked == Resolve(task=run.id, run=run.run, verdict=Verdict.RAN, reason="looked")
    assert isinstance(ask(run, asked), Decided)


def test_a_verdict_that_names_no_run_is_not_one_on_whatever_there_is() -> None:
    run = given_up(Run())
    refused = ask(run, Resolve(task=run.id, verdict=Verdict.RAN, reason="looked"))
    assert isinstance(refused, Refused)
    assert refused.code == "other-run"
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR


def cancelled_unknown(run: Run) -> Run:
    """Cancelled while it was unknown, and nothing heard of it since."""
    run.fact(Started())
    run.hear(LOST)
    ask(run, Cancel(tasks=(run.id,)))
    run.hear(LOST)
    run.later(PATIENCE_MS)
    assert run.task.phase is TaskPhase.CANCELLED
    return run


def cancelled_asked(run: Run) -> Run:
    """Given up, then cancelled while a verdict was asked for."""
    given_up(run)
    ask(run, Cancel(tasks=(run.id,)))
    assert run.task.phase is TaskPhase.CANCELLED
    return run


def cancelled_dead(run: Run) -> Run:
    """Cancelled, then found dead."""
    run.fact(Started())
    ask(run, Cancel(tasks=(run.id,)))
    run.fact(Died(reason="process-gone"))
    assert run.task.phase is TaskPhase.CANCELLED
    return run


WAYS = [cancelled_unknown, cancelled_asked, cancelled_dead]


@pytest.mark.parametrize("task_class", [TaskClass.ONCE, TaskClass.RESUMABLE])
@pytest.mark.parametrize("way", WAYS)
def test_a_cancel_is_no_way_round_the_verdict(way: Way, task_class: TaskClass) -> None:
    run = way(Run(task_class))
    refused = ask(run, Requeue(tasks=(run.id,)))
    assert isinstance(refused, Refused)
    assert refused.code == "verdict-needed"
    assert run.task.phase is TaskPhase.CANCELLED
    assert isinstance(judge(run, Verdict.DID_NOT_RUN), Decided)
    assert run.task.phase is TaskPhase.WAITING
    ask(run, Cancel(tasks=(run.id,)))
    assert isinstance(ask(run, Requeue(tasks=(run.id,))), Decided), "the verdict stays given"
    assert run.task.phase is TaskPhase.WAITING


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_task_of_unknown_fate_can_be_said_to_have_run(way: Way) -> None:
    run = way(Run())
    assert isinstance(judge(run, Verdict.RAN), Decided)
    assert run.task.phase is TaskPhase.SUCCEEDED
    again = judge(run, Verdict.RUN_AGAIN)
    assert isinstance(again, Refused)
    assert again.code == "no-verdict-needed"


@pytest.mark.parametrize(("way", "twice"), list(zip(WAYS[::2], [True, False], strict=True)))
def test_a_requeue_of_work_that_may_run_twice_says_so(way: Way, twice: bool) -> None:
    run = way(Run(TaskClass.IDEMPOTENT))
    asked = ask(run, Requeue(tasks=(run.id,)))
    assert isinstance(asked, Decided)
    (again,) = asked.events
    assert isinstance(again, TaskRetrying)
    assert again.duplicate_possible is twice


def test_a_requeue_after_the_late_end_of_a_run_cannot_run_beside_it() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(LOST)
    ask(run, Cancel(tasks=(run.id,)))
    run.later(PATIENCE_MS)
    run.fact(Finished(ok=False, failure="exit-1"))
    asked = ask(run, Requeue(tasks=(run.id,)))
    assert isinstance(asked, Decided)
    (again,) = asked.events
    assert isinstance(again, TaskRetrying)
    assert not again.duplicate_possible


def test_a_dead_run_with_a_checkpoint_needs_no_verdict_and_a_lost_one_does() -> None:
    mark = Checkpoint(text=Untrusted("page 4"), sha256="ab" * 32)
    dead, lost = Run(TaskClass.RESUMABLE), Run(TaskClass.RESUMABLE)
    for run in (dead, lost):
        run.fact(Started())
        run.fact(Running(checkpoint=mark))
    ask(dead, Cancel(tasks=(dead.id,)))
    dead.fact(Died(reason="process-gone"))
    assert isinstance(ask(dead, Requeue(tasks=(dead.id,))), Decided)
    lost.hear(LOST)
    lost.later(PATIENCE_MS)
    ask(lost, Cancel(tasks=(lost.id,)))
    assert isinstance(ask(lost, Requeue(tasks=(lost.id,))), Refused)


@pytest.mark.parametrize(
    ("fact", "possible"),
    [
        (NotStarted(reason="fenced", fenced=True), True),
        (Stopped(), True),
        (Finished(ok=False, failure="exit-1"), True),
        (Died(reason="process-gone"), False),
        (Running(), False),
    ],
)
def test_what_the_host_says_after_the_cancel_can_stand_for_the_verdict(
    fact: Fact, possible: bool
) -> None:
    run = Run()
    run.hear(LOST)
    ask(run, Cancel(tasks=(run.id,)))
    run.hear(LOST)
    run.later(PATIENCE_MS)
    assert isinstance(ask(run, Requeue(tasks=(run.id,))), Refused)
    run.fact(fact)
    asked = ask(run, Requeue(tasks=(run.id,)))
    assert isinstance(asked, Decided) is possible
    if isinstance(asked, Decided):
        (again,) = asked.events
        assert isinstance(again, TaskRetrying)
        assert not again.duplicate_possible


def test_a_run_that_certainly_failed_is_requeued_without_a_verdict() -> None:
    run = Run()
    run.fact(Started())
    run.fact(Finished(ok=False, failure="exit-1"))
    assert isinstance(ask(run, Requeue(tasks=(run.id,))), Decided)


@pytest.mark.parametrize("verdict", [Verdict.DID_NOT_RUN, Verdict.RUN_AGAIN])
@pytest.mark.parametrize(
    "deadlines",
    [Deadlines(schedule_to_start_ms=600_000), Deadlines(total_ms=600_000)],
)
def test_a_verdict_lets_the_deadlines_begin_anew(verdict: Verdict, deadlines: Deadlines) -> None:
    run = Run(deadlines=deadlines)
    run.hear(LOST)
    run.later(PATIENCE_MS)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    run.later(3_600_000)
    judge(run, verdict)
    assert run.later(599_999) == []
    assert run.task.phase is TaskPhase.WAITING
    (ended,) = run.later(1)
    assert isinstance(ended, TaskEnded)
    assert ended.phase is TaskPhase.EXPIRED


def refuse_to_start(run: Run, times: int) -> None:
    """So many agents do not start it; it is placed again as long as it waits."""
    for _ in range(times):
        if run.task.phase is TaskPhase.WAITING:
            run.place()
        run.fact(NotStarted(reason="ssh-unreachable"))


def test_after_a_verdict_the_tries_that_did_not_start_count_anew() -> None:
    run = Run()
    refuse_to_start(run, MAX_UNSTARTED)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    judge(run, Verdict.DID_NOT_RUN)
    refuse_to_start(run, MAX_UNSTARTED - 1)
    assert run.task.phase is TaskPhase.WAITING
    refuse_to_start(run, 1)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    unreached = "its host is unreachable over SSH"
    assert run.task.reason == f"{MAX_UNSTARTED} attempts in a row did not start: {unreached}"


def test_a_start_ends_the_row_of_tries_that_did_not_start() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    refuse_to_start(run, MAX_UNSTARTED - 1)
    run.place()
    run.fact(Started())
    run.fact(Died(reason="process-gone"))
    refuse_to_start(run, MAX_UNSTARTED - 1)
    assert run.task.phase is TaskPhase.WAITING


def test_it_is_told_for_how_long_nothing_was_heard() -> None:
    run = Run()
    quick = replace(run.story.state.fleet, lost_after_ms=45_000)
    run.story.add(FleetLoaded(spec=quick))
    run.fact(Started())
    run.hear(LOST)
    run.later(LISTEN_FIRST_MS)
    reason = f"no sign of life from the run on {run.task.attempts[0].agent} for 1m00s"
    assert run.task.reason == reason


ENDS = {
    Verdict.RAN: TaskEnded,
    Verdict.DID_NOT_RUN: TaskRetrying,
    Verdict.RUN_AGAIN: TaskRetrying,
}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_recorded_with_its_author_and_ends_an_unknown_run(
    verdict: Verdict,
) -> None:
    run = Run()
    run.fact(Started())
    run.hear(LOST)
    decided = judge(run, verdict)
    assert isinstance(decided, Decided)
    assert (decided.task, decided.number) == (run.id, run.task.number)
    assert [type(e) for e in decided.events] == [TaskResolved, AttemptGivenUp, ENDS[verdict]]
    resolved, _, end = decided.events
    assert resolved == TaskResolved(task=run.id, verdict=verdict, by="ann", reason="looked")
    now_ms = run.story.now_ms
    says = "ann says it did not run"
    ends = {
        Verdict.RAN: TaskEnded(task=run.id, phase=TaskPhase.SUCCEEDED, reason="ann says it ran"),
        Verdict.DID_NOT_RUN: TaskRetrying(task=run.id, not_before_ms=now_ms, reason=says, by="ann"),
        Verdict.RUN_AGAIN: TaskRetrying(
            task=run.id,
            not_before_ms=now_ms,
            reason="ann says run it again",
            duplicate_possible=True,
            by="ann",
        ),
    }
    assert end == ends[verdict]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_on_a_run_that_was_given_up_does_not_give_it_up_again(
    verdict: Verdict,
) -> None:
    run = given_up(Run())
    decided = judge(run, verdict)
    assert isinstance(decided, Decided)
    assert [type(e) for e in decided.events] == [TaskResolved, ENDS[verdict]]


def test_only_a_task_that_ended_is_in_doubt() -> None:
    run = given_up(Run())
    assert awaits_verdict(run.task)
    assert not in_doubt(run.task)
    ask(run, Cancel(tasks=(run.id,)))
    assert not awaits_verdict(run.task)
    assert in_doubt(run.task)
    judge(run, Verdict.RAN)
    assert not in_doubt(run.task)


def test_why_no_verdict_is_taken_is_known_before_anybody_gives_one() -> None:
    run = given_up(Run())
    assert not_judged(run.task) is None
    judge(run, Verdict.RAN)
    refused = not_judged(run.task)
    told = "t-1 is succeeded; no verdict is needed."
    assert refused == Refused(code=RefusalCode.NO_VERDICT_NEEDED, text=told)
    assert judge(run, Verdict.RAN) == refused


def test_a_verdict_about_a_run_of_a_task_that_was_never_placed_says_so() -> None:
    run = Run()
    task = replace(run.task, phase=TaskPhase.NEEDS_OPERATOR, attempts=())
    state = replace(run.story.state, open_tasks={run.id: task})
    command = Resolve(task=run.id, run=run.run, verdict=Verdict.RAN, reason="looked")
    refused = decide(state, "ann", command, run.story.now_ms)
    assert isinstance(refused, Refused)
    assert refused.text.endswith(f"{task.label} was never placed.")
    assert refused.hint


def test_a_verdict_is_given_in_words_and_says_what_follows() -> None:
    told = {verdict: (verdict.text, verdict.follows) for verdict in Verdict}
    assert told == {
        Verdict.RAN: ("it ran", "succeeded; nothing runs again"),
        Verdict.DID_NOT_RUN: ("it did not run", "queued again"),
        Verdict.RUN_AGAIN: ("run it again", "queued again; may be done twice"),
    }


def test_a_verdict_of_an_older_ledger_is_read_as_it_was_written() -> None:
    for verdict in Verdict:
        written = (
            f'{{"kind":"task.resolved","task":"T","verdict":"{verdict}","by":"a","reason":"r"}}'
        )
        read = msgspec.json.decode(written, type=TaskResolved)
        assert read.verdict is verdict
        assert msgspec.json.encode(read).decode() == written
