"""An operator's verdict on a run whose outcome cannot be determined otherwise."""

from typing import assert_never

from fleet_tui.core.ledger.decided import Decided, Decision
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Resolve, Verdict
from fleet_tui.core.tasks.events import AttemptGivenUp, TaskEnded, TaskResolved, TaskRetrying
from fleet_tui.core.tasks.evidence import LateWord
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.named import unknown_task
from fleet_tui.core.tasks.tries import may_run_again, may_run_twice

MAYBE_TWICE = "may run twice: an earlier run may have had effects"
"""Shown for a task with ``duplicate_possible``."""


def awaits_verdict(task: Task) -> bool:
    """Whether only an operator can determine its outcome: a verdict was requested, or its state is
    unknown now."""
    attempt = task.open_attempt
    unknown = attempt is not None and attempt.phase is AttemptPhase.UNKNOWN
    return task.phase is TaskPhase.NEEDS_OPERATOR or unknown


def in_doubt(task: Task) -> bool:
    """Whether it ended while the outcome of its newest run was unknown, and its class forbids a
    second run then. A cancel ends such a task without deciding about the run."""
    attempt = task.attempt
    if attempt is None or attempt.run_id == task.judged:
        return False
    if not task.phase.is_closed or task.phase is TaskPhase.SUCCEEDED:
        return False
    if may_still_run(attempt):
        return not may_run_twice(task)
    died = attempt.phase is AttemptPhase.DIED or attempt.late_word is LateWord.DIED
    return died and not may_run_again(task)


def may_still_run(attempt: Attempt) -> bool:
    """Whether it was given up before its agent reported its end."""
    return attempt.phase is AttemptPhase.GIVEN_UP and not attempt.is_over


def may_be_judged(task: Task) -> bool:
    """Whether a verdict on it is accepted."""
    return awaits_verdict(task) or in_doubt(task)


def not_judged(task: Task) -> Refused | None:
    """Why a verdict on it is not taken; None where it is."""
    if may_be_judged(task):
        return None
    return Refused(
        code=RefusalCode.NO_VERDICT_NEEDED,
        text=f"{task.label} is {task.phase}; no verdict is needed.",
    )


def verdict_on(task: Task, verdict: Verdict, reason: str) -> Resolve:
    """A verdict based on what its author saw of the task."""
    run = task.attempt.run_id if task.attempt is not None else None
    return Resolve(task=task.id, run=run, verdict=verdict, reason=reason)


def resolve(state: FleetState, by: str, command: Resolve, now_ms: int) -> Decision:
    """The consequences of a verdict. It is about the run whose evidence its author saw."""
    task = state.task(command.task)
    if task is None:
        return unknown_task(command.task)
    problem = not_judged(task)
    if problem is not None:
        return problem
    if not command.reason.strip():
        return Refused(code=RefusalCode.NO_REASON, text="A verdict needs a reason; it is recorded.")
    attempt = task.attempt
    if command.run != (attempt.run_id if attempt is not None else None):
        return _other_run(task, command)
    events: list[Event] = [
        TaskResolved(task=task.id, verdict=command.verdict, by=by, reason=command.reason)
    ]
    if attempt is not None and attempt.phase is AttemptPhase.UNKNOWN:
        events.append(AttemptGivenUp(run=attempt.run_id, reason=f"{by}: {command.reason}"))
    events.append(_after_verdict(task, by, command, now_ms))
    return Decided(events=tuple(events), task=task.id, number=task.number)


def _other_run(task: Task, command: Resolve) -> Refused:
    about = command.run or "no run"
    newest = task.attempt
    if newest is None:
        changed = f"{task.label} was never placed"
    else:
        changed = f"now it is {newest.run_id} on {newest.agent}, {newest.phase}"
    return Refused(
        code=RefusalCode.OTHER_RUN,
        text=f"The verdict is about {about}; {changed}.",
        hint="Review the current evidence, then give the verdict again.",
    )


def _after_verdict(task: Task, by: str, command: Resolve, now_ms: int) -> Event:
    reason = f"{by} says {command.verdict.text}"
    match command.verdict:
        case Verdict.RAN:
            return TaskEnded(task=task.id, phase=TaskPhase.SUCCEEDED, reason=reason)
        case Verdict.DID_NOT_RUN:
            return TaskRetrying(task=task.id, not_before_ms=now_ms, reason=reason, by=by)
        case Verdict.RUN_AGAIN:
            return TaskRetrying(
                task=task.id,
                not_before_ms=now_ms,
                reason=reason,
                by=by,
                duplicate_possible=True,
            )
        case _:
            assert_never(command.verdict)
