"""The waiting tasks in queues: one for each requirement, the most urgent first.

Tasks with equal requirements are placed or blocked together, so a round looks only at the heads of
the queues. The queues are kept between rounds and updated for the tasks that changed; a round over
an unchanged queue of 100,000 costs as much as one over ten.
"""

import heapq
from collections.abc import Callable, Iterable

from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.routing.requirement import Requirement
from fleet_tui.core.tasks.model import Task, TaskPhase

Urgency = tuple[int, int, int, int]
"""Smaller goes first: expedited ones, then by priority, then first come first served."""

SLACK = 64
"""Stale entries that a heap may hold in addition to as many as it has tasks."""


def urgency(task: Task) -> Urgency:
    """A task's place in the queue, unique in the fleet."""
    expedited = task.expedited_at_ms
    if expedited is not None:
        return (-1, expedited, task.spec.priority, task.number)
    return (task.spec.priority, task.submitted_at_ms, 0, task.number)


class WaitQueue:
    """Tasks with the same requirement; retries are kept apart, because they have a budget."""

    def __init__(self, wanted: Requirement, *, retries: bool) -> None:
        self.wanted = wanted
        self.retries = retries
        self._heap: list[tuple[Urgency, TaskId]] = []
        self._ranks: dict[TaskId, Urgency] = {}
        self._told: PendingCode | None = None
        """Why the queue is blocked, as recorded for all its tasks except newcomers."""
        self._newcomers: dict[TaskId, None] = {}

    def __len__(self) -> int:
        return len(self._ranks)

    def add(self, task: Task) -> None:
        """The task joins the queue."""
        rank = urgency(task)
        self._ranks[task.id] = rank
        self._newcomers[task.id] = None
        heapq.heappush(self._heap, (rank, task.id))
        if len(self._heap) > 2 * len(self._ranks) + SLACK:
            self._heap = [(rank, task_id) for task_id, rank in self._ranks.items()]
            heapq.heapify(self._heap)

    def remove(self, task_id: TaskId) -> None:
        """The task leaves the queue."""
        self._ranks.pop(task_id, None)
        self._newcomers.pop(task_id, None)

    def head(self) -> tuple[Urgency, TaskId] | None:
        """The most urgent task; None when none waits."""
        while self._heap:
            rank, task_id = self._heap[0]
            if self._ranks.get(task_id) == rank:
                return rank, task_id
            heapq.heappop(self._heap)
        return None

    def to_tell(self, code: PendingCode) -> list[TaskId]:
        """Tasks for which this reason of the block may not be recorded yet, the most urgent
        first."""
        asked = self._newcomers if code is self._told else self._ranks
        self._told = code
        names = sorted(asked, key=self._ranks.__getitem__)
        self._newcomers.clear()
        return names


class WaitQueues:
    """Every queue of a fleet. Changed tasks must be reported before the next round."""

    def __init__(self, requirement_of: Callable[[Task], Requirement]) -> None:
        self._requirement_of = requirement_of
        self._queues: dict[tuple[Requirement, bool], WaitQueue] = {}
        self._place: dict[TaskId, WaitQueue] = {}
        self._later: list[tuple[int, TaskId]] = []
        """Tasks that may not be placed before an instant, the next one first."""

    def follow(self, state: FleetState, changed: Iterable[TaskId], now_ms: int) -> None:
        """Bring the queues up to date with the tasks that changed and with the time."""
        for task_id in changed:
            self._leave(task_id)
            self._join(state, task_id, now_ms)
        while self._later and self._later[0][0] <= now_ms:
            _, task_id = heapq.heappop(self._later)
            if task_id not in self._place:
                self._join(state, task_id, now_ms)

    def queues(self) -> Iterable[WaitQueue]:
        """The queues with waiting tasks, in no particular order."""
        return self._queues.values()

    def _leave(self, task_id: TaskId) -> None:
        queue = self._place.pop(task_id, None)
        if queue is not None:
            queue.remove(task_id)
            key = (queue.wanted, queue.retries)
            if not queue and self._queues.get(key) is queue:
                del self._queues[key]

    def _join(self, state: FleetState, task_id: TaskId, now_ms: int) -> None:
        task = state.open_tasks.get(task_id)
        if task is None or task.phase is not TaskPhase.WAITING or task.hold is not None:
            return
        if task.not_before_ms > now_ms:
            heapq.heappush(self._later, (task.not_before_ms, task_id))
            return
        key = (self._requirement_of(task), task.is_retry)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = WaitQueue(key[0], retries=key[1])
        queue.add(task)
        self._place[task_id] = queue
