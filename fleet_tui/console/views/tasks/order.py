"""The order of tasks in lists: those that need an operator first, then running, queued, ended.

A queue may hold a hundred thousand tasks and a list shows two thousand: those are found by a bucket
sort, without sorting the rest.
"""

from collections.abc import Iterator
from itertools import islice
from operator import attrgetter

from fleet_tui.console.terminal.slices import Key
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.words import task_word

_PRIORITIES = len(Priority)

_submitted = attrgetter("submitted_at_ms")


def urgency(task: Task) -> Key:
    """Smaller is worse; equals by priority, then the oldest first, for ended ones the newest."""
    rank = task_word(task).order * _PRIORITIES
    if task.phase.is_closed:
        return (rank, float(-(task.ended_at_ms or 0)), "")
    return (rank + task.spec.priority, float(task.submitted_at_ms), "")


def most_urgent(state: FleetState, count: int) -> list[Task]:
    """The first ``count`` of all tasks in the order of :func:`urgency`."""
    return list(islice(_by_urgency(state), count))


def _by_urgency(state: FleetState) -> Iterator[Task]:
    boxes: dict[int, list[Task]] = {}
    for task in state.open_tasks.values():
        rank = task_word(task).order
        boxes.setdefault(rank * _PRIORITIES + task.spec.priority, []).append(task)
    for box in sorted(boxes):
        yield from sorted(boxes[box], key=_submitted)
    yield from sorted(state.ended_tasks(), key=urgency)
