"""What deciding about a command gives: the events it becomes, or a refusal.

Every refusal has a stable code, a sentence and, where there is one, the way out.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import Nameable, RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import MAX_NAMED_TASKS
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text.near import nearest


class LeftOut(NamedTuple):
    """Something that a command names and that it does nothing to."""

    subject: str
    """A task's id, an agent's name, an alert's id."""
    label: str
    """What people call it."""
    why: Refused


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was understood: what to commit and what to tell the operator."""

    events: tuple[Event, ...] = ()
    task: TaskId | None = None
    number: int | None = None
    duplicate: bool = False
    changed: int | None = None
    """Of a command that names many things: for how many it does something."""
    left_out: tuple[LeftOut, ...] = ()
    """The others that it names."""
    undo: tuple[Command, ...] = ()
    """Takes back what was done; empty where nothing does."""


Verdict = Decided | Refused


def unknown_name(what: Nameable, name: str, known: Iterable[str]) -> Refused:
    """Nothing is called that; the nearest names are offered."""
    names = list(known)
    close = nearest(name, names, count=3)
    if close:
        hint = "Did you mean " + " or ".join(close) + "?"
    elif names:
        hint = f"Known: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
    else:
        hint = f"The fleet has no {what.plural}."
    return Refused(code=what.unknown, text=f"No {what} is called {name!r}.", hint=hint)


def changed_since(what: str, made: Made, by: str, at_ms: int) -> Refused | None:
    """Why something is left alone that somebody has made anew since; None where it is as it was
    made. ``what`` begins a sentence: ``t-42 is held``."""
    if (by, at_ms) == (made.by, made.at_ms):
        return None
    whose = f"by {by}" if by else "by the engine"
    return Refused(code=RefusalCode.CHANGED_SINCE, text=f"{what} anew since then, {whose}.")


def unknown_task(task: TaskId) -> Refused:
    """No such task is remembered."""
    return Refused(code=RefusalCode.UNKNOWN_TASK, text=f"No task {task} is known.")


def ended_long_ago(task: Task) -> Refused:
    """The ledger holds the task, but nothing can be done to it any more."""
    return Refused(
        code=RefusalCode.ENDED_LONG_AGO,
        text=f"{task.label} {task.phase} too long ago for anything to be done to it.",
        hint="Its text can be submitted again as a new task.",
    )


def for_each(
    state: FleetState,
    named: tuple[TaskId, ...],
    change: Callable[[Task], list[Event] | Refused],
) -> Verdict:
    """One change for many tasks. Those it cannot be done for are left out; it is refused when it
    can be done for none, with the reason of the first."""
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
