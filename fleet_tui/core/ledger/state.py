"""The fleet according to the ledger: the result of folding every event so far.

Everything is immutable; :mod:`fleet_tui.core.ledger.fold` makes the next state. The state is
bounded; the bounds are defined with each part, those of tasks in :mod:`fleet_tui.core.tasks.store`.
Whatever the state forgets is only in the journal, and :mod:`fleet_tui.core.tasks.retell` rebuilds a
task from its events there.
"""

from collections.abc import Iterator

import msgspec

from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.fleet import (
    EMPTY_FLEET,
    FleetSpec,
    Priority,
)
from fleet_tui.core.ids import (
    NOWHERE,
    AgentName,
    AlertId,
    ClientName,
    KeyMark,
    PoolName,
    Seq,
    TaskId,
    task_number,
)
from fleet_tui.core.modes import EngineState
from fleet_tui.core.notes.model import Note
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.model import (
    Starts,
    Task,
    TaskPhase,
)
from fleet_tui.core.text.ulid import ULID_CHARS


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Counters since the ledger began."""

    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    dropped: int = 0
    attempts: int = 0
    decisions: int = 0
    cost_microusd: int = 0
    tokens: int = 0


class FleetState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole fleet at one position in the ledger."""

    seq: Seq = NOWHERE
    at_ms: int = 0
    """When the last event was committed."""
    engine: EngineState = EngineState()
    fleet: FleetSpec = EMPTY_FLEET
    agents: dict[AgentName, AgentState] = {}
    open_tasks: dict[TaskId, Task] = {}
    closed_tasks: dict[TaskId, Task] = {}
    """The newest MAX_CLOSED_TASKS, oldest first; dead letters are kept apart."""
    dead_letters: dict[TaskId, Task] = {}
    """Failed and expired tasks that nobody has requeued or dropped, oldest first; the newest
    MAX_DEAD_LETTERS."""
    unheard_tasks: dict[TaskId, Task] = {}
    """Ended tasks that would be forgotten, except that a run of theirs was given up and its agent
    has not reported since: the newest MAX_UNHEARD, oldest first. A late report is attached with its
    cost, and an unwanted run is fenced."""
    open_by_priority: dict[Priority, int] = {}
    open_by_client: dict[ClientName, int] = {}
    """How many tasks are open, for the limits of the queue."""
    recent_starts: tuple[Starts, ...] = ()
    """Placements of the last minute, for the retry budget."""
    keys: dict[str, KeyMark] = {}
    """The newest MAX_KEYS keys of submitters, oldest first."""
    turns: dict[PoolName, AgentName] = {}
    """Round-robin: who was chosen last."""
    decisions: tuple[DecisionRecord, ...] = ()
    alerts: dict[AlertId, Alert] = {}
    closed_alerts: tuple[Alert, ...] = ()
    braked_pools: dict[PoolName, str] = msgspec.field(default_factory=dict, name="frozen_pools")
    """Pools whose failover the mass-failure brake stopped, and why. Stored under its original
    name."""
    notes: tuple[Note, ...] = ()
    totals: Totals = Totals()
    unknown_events: int = 0
    """Events of kinds this version does not know; kept in the journal, not understood."""

    def task(self, task_id: TaskId) -> Task | None:
        """A task, open or ended, if it is remembered."""
        return (
            self.open_tasks.get(task_id)
            or self.closed_tasks.get(task_id)
            or self.dead_letters.get(task_id)
            or self.unheard_tasks.get(task_id)
        )

    def tasks(self) -> Iterator[Task]:
        """Every task that is remembered: open ones, then those that ended."""
        yield from self.open_tasks.values()
        yield from self.ended_tasks()

    def ended_tasks(self) -> Iterator[Task]:
        """Tasks that ended: closed, dead letters, unheard; each oldest first."""
        yield from self.closed_tasks.values()
        yield from self.dead_letters.values()
        yield from self.unheard_tasks.values()

    @property
    def ended_count(self) -> int:
        """How many tasks that ended are remembered."""
        return len(self.closed_tasks) + len(self.dead_letters) + len(self.unheard_tasks)

    def waiting(self) -> Iterator[Task]:
        """Tasks that wait for an agent, in no particular order."""
        return (t for t in self.open_tasks.values() if t.phase is TaskPhase.WAITING)

    def find_task(self, text: str) -> Task | None:
        """The task meant by ``t-42``, ``42`` or its id; None when none is remembered."""
        exact = self.task(TaskId(text))
        if exact is not None:
            return exact
        number = task_number(text)
        return next((t for t in self.tasks() if t.number == number), None)

    def may_have_had(self, text: str) -> bool:
        """Whether the text can name a task that was forgotten, so that the ledger should be
        searched."""
        number = task_number(text)
        if number is None:
            return len(text) == ULID_CHARS and text.isascii() and text.isalnum()
        return 1 <= number <= self.totals.submitted

    def recalling(self, task: Task) -> "FleetState":
        """The state with a task that it may have forgotten."""
        if self.task(task.id) is not None:
            return self
        return msgspec.structs.replace(self, closed_tasks={**self.closed_tasks, task.id: task})


EMPTY_STATE = FleetState()
