"""Rebuilds a task from its own events, for one that the state has forgotten.

It uses the same fold as the whole ledger, so the task is as it was after the last of them.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import Folding
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.model import Task


class Retelling:
    """Applies the events of one task, without the rest of the ledger."""

    def __init__(self, task_id: TaskId, before: Task | None = None) -> None:
        """``before`` is the task where its events begin; None at its submission."""
        self._task_id = task_id
        base = EMPTY_STATE if before is None else _only(before)
        self._folding = Folding(base)

    def add(self, story: Iterable[Recorded]) -> None:
        """Add the next events; each is about the task."""
        folding = self._folding
        for recorded in story:
            # The engine that wrote an event is the one that planned the attempt in it.
            folding.engine = replace(folding.engine, epoch=recorded.epoch)
            folding.apply(recorded)

    @property
    def task(self) -> Task | None:
        """The task so far; None without its beginning."""
        return self._folding.tasks.find(self._task_id)

    @property
    def decisions(self) -> tuple[DecisionRecord, ...]:
        """The newest decisions about it, oldest first."""
        return self._folding.state().decisions


def retell(task_id: TaskId, story: Iterable[Recorded], before: Task | None = None) -> Retelling:
    """The task after its story."""
    told = Retelling(task_id, before)
    told.add(story)
    return told


def _only(task: Task) -> FleetState:
    if task.phase.is_closed:
        return replace(EMPTY_STATE, closed_tasks={task.id: task})
    return replace(EMPTY_STATE, open_tasks={task.id: task})
