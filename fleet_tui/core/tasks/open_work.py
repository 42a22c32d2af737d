"""The open tasks in numbers, kept up to date as they change.

There may be a hundred thousand. The numbers are read every second and little changes in between, so
only tasks that changed are counted again; the rest are merely compared by identity.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import PoolName, TaskId
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase


class _Kind(NamedTuple):
    """Tasks that are counted together."""

    word: str
    priority: Priority | None = None
    pool: PoolName | None = None


_WAITS, _HELD = "waits", "held"
_RUNS, _UNKNOWN, _NEEDS = (_Kind(word) for word in ("runs", "unknown", "asks"))


class OpenWork:
    """Counts of the open tasks of one fleet. Not for sharing: each reader has its own."""

    def __init__(self) -> None:
        self._seen: Mapping[TaskId, Task] = {}
        self._kinds: Counter[_Kind] = Counter()
        self.counted = 0
        """Tasks counted since the beginning: each once, and again whenever it changed."""
        self.oldest_ms: int | None = None
        """When the oldest waiting task was submitted; None when none waits."""

    def follow(self, tasks: Mapping[TaskId, Task]) -> "OpenWork":
        """Update the counts to the current open tasks; returns itself."""
        if tasks is self._seen:
            return self
        seen = self._seen
        fresh = [task for name, task in tasks.items() if seen.get(name) is not task]
        changed = [seen[task.id] for task in fresh if task.id in seen]
        gone = len(seen) + len(fresh) - len(changed) - len(tasks)
        if gone:
            changed += [seen[name] for name in seen.keys() - tasks.keys()]
        self._kinds.update(map(_kind, fresh))
        self._kinds.subtract(map(_kind, changed))
        self._kinds = +self._kinds
        self._seen = tasks
        self.counted += len(fresh)
        waiting = (t.submitted_at_ms for t in tasks.values() if t.phase is TaskPhase.WAITING)
        self.oldest_ms = min(waiting, default=None)
        return self

    @property
    def waiting(self) -> int:
        """Tasks that wait for an agent."""
        return sum(n for kind, n in self._kinds.items() if kind.priority is not None)

    @property
    def held(self) -> int:
        """Waiting tasks that will not be placed by waiting."""
        return sum(n for kind, n in self._kinds.items() if kind.word == _HELD)

    @property
    def running(self) -> int:
        """Tasks in progress."""
        return self._kinds[_RUNS]

    @property
    def unknown(self) -> int:
        """Tasks whose run is in unknown state."""
        return self._kinds[_UNKNOWN]

    @property
    def needs_operator(self) -> int:
        """Tasks that need a verdict."""
        return self._kinds[_NEEDS]

    def by_priority(self) -> dict[Priority, int]:
        """Waiting tasks of each priority, zeros included."""
        found = dict.fromkeys(Priority, 0)
        for kind, count in self._kinds.items():
            if kind.priority is not None:
                found[kind.priority] += count
        return found

    def by_pool(self) -> dict[PoolName, int]:
        """Waiting tasks by the pool that they wait for, as far as routing has determined it."""
        found: dict[PoolName, int] = {}
        for kind, count in self._kinds.items():
            if kind.pool is not None:
                found[kind.pool] = found.get(kind.pool, 0) + count
        return found


def _kind(task: Task) -> _Kind:
    phase = task.phase
    if phase is TaskPhase.WAITING:
        pending, pool = task.pending, task.spec.pool
        if pending is None:
            return _Kind(_WAITS, task.spec.priority, pool)
        if pool is None and pending.decision is not None:
            pool = pending.decision.pool
        return _Kind(_HELD if pending.code.is_held else _WAITS, task.spec.priority, pool)
    if phase is TaskPhase.NEEDS_OPERATOR:
        return _NEEDS
    attempt = task.open_attempt
    lost = attempt is not None and attempt.phase is AttemptPhase.UNKNOWN
    return _UNKNOWN if lost else _RUNS
