"""Commands that name tasks: one change for each of them, and the reason for each that is left
out."""

from collections.abc import Callable

from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.decided import Decided, Decision, LeftOut
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import MAX_NAMED_TASKS
from fleet_tui.core.tasks.model import Task


def unknown_task(task: TaskId) -> Refused:
    """No such task is remembered."""
    return Refused(code=RefusalCode.UNKNOWN_TASK, text=f"No task {task} is known.")


def ended_long_ago(task: Task) -> Refused:
    """The ledger holds the task, but it can no longer be changed."""
    return Refused(
        code=RefusalCode.ENDED_LONG_AGO,
        text=f"{task.label} {task.phase} too long ago to be changed.",
        hint="Submit its text again as a new task.",
    )


def for_each(
    state: FleetState,
    named: tuple[TaskId, ...],
    change: Callable[[Task], list[Event] | Refused],
) -> Decision:
    """One change for many tasks. Those that cannot be changed are left out; the command is refused
    if it can change none, with the reason of the first."""
    if not named:
        return Refused(code=RefusalCode.NOTHING_NAMED, text="No task was named.")
    if len(named) > MAX_NAMED_TASKS:
        return Refused(
            code=RefusalCode.TOO_MANY,
            text=f"{len(named):,} tasks were named; at most {MAX_NAMED_TASKS:,} at a time.",
        )
    events: list[Event] = []
    left_out: list[LeftOut] = []
    changed = 0
    for task_id in dict.fromkeys(named):
        task = state.task(task_id)
        outcome = unknown_task(task_id) if task is None else change(task)
        if isinstance(outcome, Refused):
            label = task_id if task is None else task.label
            left_out.append(LeftOut(task_id, label, outcome))
        else:
            changed += 1
            events.extend(outcome)
    if left_out and not changed:
        return left_out[0].why
    only = state.task(named[0]) if len(named) == 1 else None
    return Decided(
        events=tuple(events),
        task=only.id if only is not None else None,
        number=only.number if only is not None else None,
        changed=changed,
        left_out=tuple(left_out),
    )
