"""The reasons for a task's state, for a line of a list, here and in ``fleet-tui tasks``."""

from collections.abc import Iterator, Sequence

from fleet_tui.core.routing.decision import Pending
from fleet_tui.core.tasks.model import HoldRecord, Task, TaskPhase
from fleet_tui.core.text.firewall import safe_line

MAX_CHARS = 400
"""Of a sentence that may contain an operator's text."""


def waiting_words(pending: Pending) -> str:
    """Why a task waits: the engine's text, or the meaning of its code."""
    return safe_line(pending.detail or pending.code.text, MAX_CHARS)


def held_words(hold: HoldRecord) -> str:
    """``held by ops: wait for the migration``."""
    return safe_line(f"held by {hold.by}{': ' if hold.reason else ''}{hold.reason}", MAX_CHARS)


def reasons(task: Task, notes: Sequence[str] = ()) -> list[str]:
    """Each in a few words; none when there are none. ``notes`` are irregularities of its open
    run."""
    if task.cancel_requested_by and not task.phase.is_closed:
        return [*notes, f"cancel requested by {task.cancel_requested_by}"]
    if task.phase is TaskPhase.WAITING:
        return list(_waits(task))
    if task.reason:
        return [f"dropped by {task.dropped_by}: {task.reason}" if task.dropped_by else task.reason]
    last = task.open_attempt
    if last is not None and last.lost is not None:
        return [*notes, f"{last.lost.text} {last.detail.raw}".strip()]
    if notes or last is None or not last.decision.note:
        return list(notes)
    first = f"{last.decision.strategy}: " if len(task.attempts) == 1 else ""
    return [f"{first}{last.decision.note}"]


def _waits(task: Task) -> Iterator[str]:
    """Everything that affects when a waiting task is placed."""
    if task.hold is not None:
        yield held_words(task.hold)
    if task.expedited_at_ms is not None:
        yield "goes first"
    if task.pending is not None and task.hold is None:
        yield waiting_words(task.pending)
