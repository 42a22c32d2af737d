"""Operators' commands for open tasks: cancel, hold, release, expedite, set a priority."""

from fleet_tui.core.ledger.decided import Decision, changed_since
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Cancel, Expedite, Hold, Release, SetPriority
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    TaskCancelRequested,
    TaskEnded,
    TaskExpedited,
    TaskHeld,
    TaskReleased,
    TaskReprioritized,
)
from fleet_tui.core.tasks.model import AttemptPhase, CancelCause, Task, TaskPhase
from fleet_tui.core.tasks.named import for_each


def cancel(state: FleetState, by: str, command: Cancel) -> Decision:
    """Remove tasks from the queue at once, or stop them where they run."""

    def change(task: Task) -> list[Event] | Refused:
        if task.phase.is_closed:
            return Refused(
                code=RefusalCode.ALREADY_OVER, text=f"{task.label} is already {task.phase}."
            )
        requested = TaskCancelRequested(task=task.id, by=by, reason=command.reason)
        attempt = task.open_attempt
        if attempt is None:
            why = f"cancelled by {by}"
            return [requested, TaskEnded(task=task.id, phase=TaskPhase.CANCELLED, reason=why)]
        if attempt.phase is AttemptPhase.CANCELLING:
            return [requested]
        return [
            requested,
            AttemptCancelling(run=attempt.run_id, cause=CancelCause.OPERATOR, by=by),
        ]

    return for_each(state, command.tasks, change)


def hold(state: FleetState, by: str, command: Hold) -> Decision:
    """Hold queued tasks until released."""

    def change(task: Task) -> list[Event] | Refused:
        if task.hold is not None:
            return Refused(
                code=RefusalCode.ALREADY_HELD,
                text=f"{task.label} is already held by {task.hold.by}.",
            )
        return _not_waiting(task, "held") or [TaskHeld(task=task.id, by=by, reason=command.reason)]

    return for_each(state, command.tasks, change)


def release(state: FleetState, by: str, command: Release) -> Decision:
    """Release held tasks for placement."""

    def change(task: Task) -> list[Event] | Refused:
        if task.phase.is_closed:
            return _not_waiting(task, "released") or []
        if task.hold is None:
            return Refused(code=RefusalCode.NOT_HELD, text=f"{task.label} is not held.")
        if command.held is not None:
            what = f"{task.label} is held"
            changed = changed_since(what, command.held, task.hold.by, task.hold.since_ms)
            if changed is not None:
                return changed
        return [TaskReleased(task=task.id, by=by)]

    return for_each(state, command.tasks, change)


def expedite(state: FleetState, by: str, command: Expedite) -> Decision:
    """Move waiting tasks to the front of the queue."""

    def change(task: Task) -> list[Event] | Refused:
        if task.expedited_at_ms is not None:
            return Refused(
                code=RefusalCode.ALREADY_EXPEDITED,
                text=f"{task.label} is already expedited.",
            )
        return _not_waiting(task, "expedited") or [
            TaskExpedited(task=task.id, by=by, reason=command.reason)
        ]

    return for_each(state, command.tasks, change)


def set_priority(state: FleetState, by: str, command: SetPriority) -> Decision:
    """Give waiting tasks another priority."""

    def change(task: Task) -> list[Event] | Refused:
        if task.spec.priority is command.priority:
            return Refused(
                code=RefusalCode.SAME_PRIORITY,
                text=f"{task.label} already has priority {command.priority.name}.",
            )
        if command.was is not None and task.spec.priority is not command.was:
            return Refused(
                code=RefusalCode.CHANGED_SINCE,
                text=(
                    f"{task.label} now has priority {task.spec.priority.name}, not "
                    f"{command.was.name}."
                ),
            )
        return _not_waiting(task, "moved") or [
            TaskReprioritized(task=task.id, priority=command.priority, by=by)
        ]

    return for_each(state, command.tasks, change)


def _not_waiting(task: Task, done: str) -> Refused | None:
    if task.phase is TaskPhase.WAITING:
        return None
    return Refused(
        code=RefusalCode.NOT_WAITING,
        text=f"{task.label} is {task.phase}; only waiting tasks can be {done}.",
    )
