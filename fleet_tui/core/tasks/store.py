"""The tasks of a state while events are folded into it: open, closed, dead letters, and those that
are kept longer because of a run that was given up and not reported since.

Each map is copied when it is first written, so a batch pays for one copy however long it is, and
the state it began with is never touched.
"""

from typing import TypeVar

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import ClientName, KeyMark, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import Task, TaskSpec

MAX_CLOSED_TASKS = 2_000
"""Ended tasks that a state remembers; older ones are only in the journal."""
MAX_DEAD_LETTERS = 10_000
"""Failed tasks kept for an operator; older ones are only in the journal."""
MAX_UNHEARD = 10_000
"""Ended tasks kept because a run of theirs was given up and its agent may still report on it."""
MAX_KEYS = 120_000
"""Submitters' keys remembered, more than tasks can be open or a file of tasks can have lines; the
oldest are forgotten first."""


class TaskStore:
    """The tasks of one batch. Not for sharing: it lives as long as its batch."""

    def __init__(self, base: FleetState) -> None:
        self._base = base
        self.open = base.open_tasks
        self.closed = base.closed_tasks
        self.dead = base.dead_letters
        self.unheard = base.unheard_tasks
        self.keys = base.keys
        self.by_priority = base.open_by_priority
        self.by_client = base.open_by_client
        if self.open and not self.by_priority:  # written before there were counts
            for task in self.open.values():
                self._count(task.spec, 1)

    def find(self, task_id: TaskId) -> Task | None:
        """The task, in whichever map it is."""
        return (
            self.open.get(task_id)
            or self.closed.get(task_id)
            or self.dead.get(task_id)
            or self.unheard.get(task_id)
        )

    def remember_key(self, key: str, mark: KeyMark) -> None:
        """Store the value for the key; the oldest keys are forgotten."""
        if self.keys is self._base.keys:
            self.keys = dict(self.keys)
        self.keys[key] = mark
        if len(self.keys) > MAX_KEYS:
            del self.keys[next(iter(self.keys))]

    def put(self, task: Task) -> None:
        """Put the task into the map of its phase, in its old place if that is the same map."""
        if not task.phase.is_closed:
            self._put_open(task)
        elif task.dropped_by is None and task.phase.has_failed:
            self._put_dead(task)
        else:
            self._put_closed(task)

    def _put_open(self, task: Task) -> None:
        before = self.open.get(task.id)
        if before is None:
            self._remove_ended(task.id)
            self._count(task.spec, 1)
        elif before.spec is not task.spec:
            self._count(before.spec, -1)
            self._count(task.spec, 1)
        if self.open is self._base.open_tasks:
            self.open = dict(self.open)
        self.open[task.id] = task

    def _put_closed(self, task: Task) -> None:
        if task.id not in self.closed:
            self._remove_open(task.id)
            self._remove_ended(task.id)
        if self.closed is self._base.closed_tasks:
            self.closed = dict(self.closed)
        self.closed[task.id] = task
        if len(self.closed) > MAX_CLOSED_TASKS:
            self._let_go(self.closed.pop(next(iter(self.closed))))

    def _put_dead(self, task: Task) -> None:
        if task.id not in self.dead:
            self._remove_open(task.id)
            self._remove_ended(task.id)
        if self.dead is self._base.dead_letters:
            self.dead = dict(self.dead)
        self.dead[task.id] = task
        if len(self.dead) > MAX_DEAD_LETTERS:
            self._let_go(self.dead.pop(next(iter(self.dead))))

    def _let_go(self, task: Task) -> None:
        """Forget the task, unless one of its runs may still be reported on."""
        if not any(attempt.is_unheard for attempt in task.attempts):
            return
        if self.unheard is self._base.unheard_tasks:
            self.unheard = dict(self.unheard)
        self.unheard[task.id] = task
        if len(self.unheard) > MAX_UNHEARD:
            del self.unheard[next(iter(self.unheard))]

    def _remove_open(self, task_id: TaskId) -> None:
        before = self.open.get(task_id)
        if before is not None:
            self._count(before.spec, -1)
            if self.open is self._base.open_tasks:
                self.open = dict(self.open)
            del self.open[task_id]

    def _remove_ended(self, task_id: TaskId) -> None:
        if task_id in self.closed:
            if self.closed is self._base.closed_tasks:
                self.closed = dict(self.closed)
            del self.closed[task_id]
        if task_id in self.dead:
            if self.dead is self._base.dead_letters:
                self.dead = dict(self.dead)
            del self.dead[task_id]
        if task_id in self.unheard:
            if self.unheard is self._base.unheard_tasks:
                self.unheard = dict(self.unheard)
            del self.unheard[task_id]

    def _count(self, spec: TaskSpec, change: int) -> None:
        if self.by_priority is self._base.open_by_priority:
            self.by_priority = dict(self.by_priority)
        _add(self.by_priority, spec.priority, change)
        if spec.client is not None:
            if self.by_client is self._base.open_by_client:
                self.by_client = dict(self.by_client)
            _add(self.by_client, spec.client, change)


_Counted = TypeVar("_Counted", Priority, ClientName)


def _add(counts: dict[_Counted, int], key: _Counted, change: int) -> None:
    left = counts.get(key, 0) + change
    if left:
        counts[key] = left
    else:
        del counts[key]
