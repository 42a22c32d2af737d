"""The fleet as the ledger tells it: what folding every event so far adds up to.

Everything is immutable; :mod:`fleet_tui.core.ledger.fold` makes the next state. The state is
bounded: finished tasks beyond MAX_CLOSED_TASKS and older decisions live on in the journal alone,
and :mod:`fleet_tui.core.tasks.retell` makes a task out of its events there.
"""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from fleet_tui.core.agents.breaker import Breaker, Strike
from fleet_tui.core.agents.vitals import FailureKind, Limit, ModelTrouble
from fleet_tui.core.fleet import (
    EMPTY_FLEET,
    Deadlines,
    FleetSpec,
    Prices,
    Priority,
    TaskClass,
)
from fleet_tui.core.ids import (
    NOWHERE,
    AgentName,
    AlertId,
    Capability,
    ClientName,
    Epoch,
    KeyMark,
    PoolName,
    Region,
    RunId,
    Seq,
    TaskId,
    task_label,
    task_number,
)
from fleet_tui.core.modes import EngineState
from fleet_tui.core.reason_words import failed_words
from fleet_tui.core.routing.decision import Decision, Pending
from fleet_tui.core.tasks.evidence import Answer, Blame, Checkpoint, LateWord, LostReason, Usage
from fleet_tui.core.text.redaction import without_secrets
from fleet_tui.core.text.ulid import ULID_CHARS
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_CLOSED_TASKS = 2_000
MAX_DEAD_LETTERS = 10_000
"""Failed tasks kept for somebody to look at; older ones are in the journal alone."""
MAX_UNHEARD = 10_000
"""Ended tasks kept because a run of theirs was given up and its agent may still tell about it."""
MAX_DECISIONS = 500
MAX_CLOSED_ALERTS = 200
MAX_NOTES = 200
MAX_KEYS = 120_000
"""Submitters' keys remembered, more than tasks can be open or a file of tasks can have lines; the
oldest are forgotten first."""
MAX_SHOWN_CHARS = 2_000
"""Of a payload, wherever it stands in a line."""


class Health(StrEnum):
    """What an agent's looks add up to. Freshness is another question and never mixed in."""

    JOINING = "joining"
    UP = "up"
    DEGRADED = "degraded"
    SUSPECT = "suspect"
    """One miss, or an open breaker: no new work until it answers again, or did one task well."""
    STARTING = "starting"
    DRAINING = "draining"
    """The agent itself says it takes no new work."""
    UNREACHABLE = "unreachable"
    """Its host cannot be reached from here. That is not proof that it is down."""
    DOWN = "down"
    """Its host answers and says that the agent does not."""
    QUARANTINED = "quarantined"
    """Flapping: kept out of routing for a while."""
    RETIRED = "retired"
    """No longer in the fleet file."""

    @property
    def takes_work(self) -> bool:
        """Whether routing may choose an agent in this state."""
        return self in (Health.UP, Health.DEGRADED)

    @property
    def is_lost(self) -> bool:
        """Whether the agent counts as failed."""
        return self in (Health.UNREACHABLE, Health.DOWN, Health.QUARANTINED)


class Cordon(msgspec.Struct, frozen=True, kw_only=True):
    """Kept out of routing by an operator."""

    by: str
    reason: str
    since_ms: int


class AgentState(msgspec.Struct, frozen=True, kw_only=True):
    """One agent in the ledger."""

    name: AgentName
    health: Health = Health.JOINING
    since_ms: int = 0
    reason: str = ""
    failure: FailureKind | None = None
    detail: Untrusted = NOTHING_SAID
    version: str | None = None
    boot_id: str | None = None
    limits: tuple[Limit, ...] = ()
    """What its release cannot do."""
    cordon: Cordon | None = None
    quarantine_until_ms: int | None = None
    prices: Prices = Prices()
    """Of a retired agent: what it cost when the fleet file last named it, for runs that end
    later."""
    runs: frozenset[RunId] = frozenset()
    """Open attempts: what its slots hold."""
    succeeded: int = 0
    failed: int = 0
    """Runs that ended badly or that it refused."""
    cost_microusd: int = 0
    tokens: int = 0
    strikes: tuple[Strike, ...] = ()
    """Since it last did a task well, the newest MAX_STRIKES."""
    was_up: bool = False
    """Whether it ever answered well. One that never did cannot be lost."""
    did_well_at_ms: int | None = None
    """When it last did a task well; None for never, or where that was not kept."""
    breaker: Breaker | None = None
    """Open while what it gets fails."""

    @property
    def was_ever_up(self) -> bool:
        """Whether it is known to have worked. What it says of itself is no sign of that: an agent
        that is lost from the first says it with its first answer, and is up some looks later."""
        return self.was_up or self.succeeded > 0

    def may_be_tried(self, now_ms: int) -> bool:
        """Whether a task may be let through to it on trial, slots aside."""
        breaker = self.breaker
        return (
            breaker is not None
            and breaker.trial is None
            and now_ms >= breaker.until_ms
            and self.health is Health.SUSPECT
            and self.failure is None
            and self.cordon is None
        )

    @property
    def in_service(self) -> bool:
        """Whether routing may choose it now, slots aside."""
        return self.health.takes_work and self.cordon is None


class AttemptPhase(StrEnum):
    """Where an attempt stands. The first four are open."""

    PLANNED = "planned"
    RUNNING = "running"
    UNKNOWN = "unknown"
    CANCELLING = "cancelling"
    NOT_STARTED = "not-started"
    """Refused before it began."""
    FENCED = "fenced"
    """Never started, and a tombstone on its host keeps a late start from running."""
    DIED = "died"
    GIVEN_UP = "given-up"
    """Unknown for longer than the fleet's ``lost_after``."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still be running somewhere."""
        return self in _OPEN

    @property
    def never_started(self) -> bool:
        """Whether it is certain that nothing of it ever ran."""
        return self in (AttemptPhase.NOT_STARTED, AttemptPhase.FENCED)


_OPEN = frozenset(
    {
        AttemptPhase.PLANNED,
        AttemptPhase.RUNNING,
        AttemptPhase.UNKNOWN,
        AttemptPhase.CANCELLING,
    }
)


class CancelCause(StrEnum):
    """Who wants an attempt stopped."""

    OPERATOR = "operator"
    DEADLINE = "deadline"
    HEARTBEAT = "heartbeat"
    PREEMPTION = "preemption"


class Attempt(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One try at a task on one agent."""

    run_id: RunId
    number: int
    agent: AgentName
    phase: AttemptPhase
    planned_at_ms: int
    decision: Decision
    epoch: Epoch = Epoch(0)
    """Of the engine that planned it; 0 in ledgers that did not tell."""
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    unknown_since_ms: int | None = None
    lost: LostReason | None = None
    boot_id: str | None = None
    resumed_by_agent: bool = False
    model_trouble: ModelTrouble | None = None
    """What is wrong with its model, as its agent told it last."""
    suspended_at_ms: int | None = None
    """When its program was found stopped on its host; None while it goes on."""
    cancel_cause: CancelCause | None = None
    cancel_refused: Untrusted | None = None
    """What its agent said when it took no cancel because it drains."""
    reason: str = ""
    blame: Blame = Blame.NOBODY
    """Whose doing it is that it did not start or failed."""
    detail: Untrusted = NOTHING_SAID
    answer: Answer = Answer()
    usage: Usage = Usage()
    cost_microusd: int = 0
    checkpoint: Checkpoint | None = None
    """The last one it was seen to leave."""
    late: bool = False
    """A result came after the attempt was given up; it is kept and changes nothing."""
    late_ok: bool | None = None
    """Whether that result is a success; None where that was not kept."""
    late_failure: str = ""
    """A stable word for what went wrong according to it."""
    late_word: LateWord | None = None
    """What its agent last said of it after it was given up."""

    @property
    def is_over(self) -> bool:
        """Whether its agent has told, if late, how it ended."""
        return self.late or (self.late_word is not None and self.late_word.is_final)

    @property
    def is_unheard(self) -> bool:
        """Whether it was given up, and its agent has not told since how it ended."""
        return self.phase is AttemptPhase.GIVEN_UP and not self.is_over

    @property
    def told_late(self) -> str:
        """What comes after "its agent said since then that it …"; empty where it said nothing."""
        if not self.late:
            return "" if self.late_word is None else self.late_word.text
        if self.late_ok is None:
            return "ended"
        why = f": {failed_words(self.late_failure)}" if self.late_failure else ""
        return "ended well" if self.late_ok else f"failed{why}"


class TaskSpec(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the operator asked for."""

    payload: Untrusted
    needs: frozenset[Capability] = frozenset()
    pool: PoolName | None = None
    agent: AgentName | None = None
    """Pinned to this agent."""
    client: ClientName | None = None
    project: str | None = None
    regions: tuple[Region, ...] = ()
    """If not empty: only in these regions, on top of the fleet's residency rules."""
    priority: Priority = Priority.P2
    task_class: TaskClass = TaskClass.ONCE
    deadlines: Deadlines | None = None
    """None takes the fleet's."""
    written_deadlines: tuple[str, ...] | None = None
    """Which of ``deadlines`` the submitter named, by field; the others were the fleet's then. None
    where that was not told."""
    labels: dict[str, str] = {}

    @property
    def shown(self) -> Untrusted:
        """The beginning of the payload as people may see it, enough for any line."""
        return without_secrets(self.payload, MAX_SHOWN_CHARS)


class TaskPhase(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"
    ACTIVE = "active"
    NEEDS_OPERATOR = "needs-operator"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will happen to the task by itself."""
        return self in _CLOSED


_CLOSED = frozenset({TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.CANCELLED, TaskPhase.EXPIRED})


class Hold(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Kept waiting by an operator."""

    by: str
    reason: str
    since_ms: int


class Task(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A task and everything that was tried for it."""

    id: TaskId
    number: int
    key: str
    """The client's key: the same key is the same task."""
    spec: TaskSpec
    by: str
    submitted_at_ms: int
    payload_sha256: str
    phase: TaskPhase = TaskPhase.WAITING
    attempts: tuple[Attempt, ...] = ()
    pending: Pending | None = None
    not_before_ms: int = 0
    """Waiting tasks are not placed before this instant."""
    requeued_at_ms: int | None = None
    """When an operator last let it run again, after its end or by a verdict; of a paced requeue:
    when its turn is. Its deadlines count from then."""
    duplicate_possible: bool = False
    """It was let run again while an earlier run may have had effects, or may go on."""
    judged: RunId | None = None
    """The newest run that an operator gave a verdict on."""
    hold: Hold | None = None
    expedited_at_ms: int | None = None
    """Since when it goes before all others, if an operator said so."""
    asked: TaskSpec | None = None
    """What was submitted, where an operator changed ``spec`` since."""
    dropped_by: str | None = None
    """Who decided that its failure needs nothing more."""
    cancel_requested_by: str | None = None
    ended_at_ms: int | None = None
    reason: str = ""
    """Why it ended or needs an operator."""

    @property
    def label(self) -> str:
        """``t-42``."""
        return task_label(self.number)

    @property
    def asked_at_ms(self) -> int:
        """From when its deadlines count: its submission, or when it was last asked for again."""
        return self.submitted_at_ms if self.requeued_at_ms is None else self.requeued_at_ms

    @property
    def submitted_spec(self) -> TaskSpec:
        """What its key stands for."""
        return self.asked or self.spec

    @property
    def is_retry(self) -> bool:
        """Whether its next placement would be a further try at the same request."""
        return bool(self.attempts) and self.attempts[-1].planned_at_ms >= self.asked_at_ms

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest one that any of its attempts left."""
        left = (a.checkpoint for a in reversed(self.attempts) if a.checkpoint is not None)
        return next(left, None)

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt that may be running now."""
        last = self.attempt
        return last if last is not None and last.phase.is_open else None

    @property
    def cost_microusd(self) -> int:
        """Cost of all attempts."""
        return sum(a.cost_microusd for a in self.attempts)

    @property
    def has_unknown_cost(self) -> bool:
        """Whether a run of it reported what is no cost."""
        return any(a.usage.unusable for a in self.attempts)


class Severity(StrEnum):
    """How loud an alert is, the loudest first."""

    CRIT = "crit"
    WARN = "warn"
    INFO = "info"

    @property
    def order(self) -> int:
        """Where it stands in a list."""
        return list(Severity).index(self)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that wants an operator's eyes."""

    id: AlertId
    severity: Severity
    subject: str
    """The agent, pool or task it is about, as shown."""
    text: str
    """Our own words; never remote text."""
    detail: Untrusted = NOTHING_SAID
    raised_at_ms: int = 0
    resolved_at_ms: int | None = None
    acked_by: str | None = None


class DecisionRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A line of the routing pane."""

    seq: Seq
    at_ms: int
    task: TaskId
    task_number: int
    priority: Priority
    decision: Decision
    attempt: int
    """0 when the task was not placed."""
    pending: Pending | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A bookmark: a moment with an operator's words."""

    at_ms: int
    by: str
    text: Untrusted


class Starts(msgspec.Struct, frozen=True):
    """Placements of one second."""

    second: int
    """Since the Unix epoch."""
    first: int = 0
    retries: int = 0


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
    """The whole fleet at one position of the ledger."""

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
    """Ended tasks that would be forgotten, but a run of theirs is unheard: the newest MAX_UNHEARD,
    oldest first. What their agents tell one day is attached, costed, and fenced where unwanted."""
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
    frozen_pools: dict[PoolName, str] = {}
    """Pools whose failover is frozen by the mass-failure brake, and why."""
    notes: tuple[Note, ...] = ()
    totals: Totals = Totals()
    unknown_events: int = 0
    """Events of kinds this version does not know; kept in the journal, not understood."""

    def task(self, task_id: TaskId) -> Task | None:
        """A task, open or ended, as long as it is remembered."""
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
        """Tasks that want an agent, in no particular order."""
        return (t for t in self.open_tasks.values() if t.phase is TaskPhase.WAITING)

    def find_task(self, text: str) -> Task | None:
        """The task people mean by ``t-42``, ``42`` or its id; None when none is remembered."""
        exact = self.task(TaskId(text))
        if exact is not None:
            return exact
        number = task_number(text)
        return next((t for t in self.tasks() if t.number == number), None)

    def may_have_had(self, text: str) -> bool:
        """Whether the text can name a task that was forgotten: then the ledger is worth asking."""
        number = task_number(text)
        if number is None:
            return len(text) == ULID_CHARS and text.isascii() and text.isalnum()
        return 1 <= number <= self.totals.submitted

    def recalling(self, task: Task) -> "FleetState":
        """The state for looking at a task that it may have forgotten."""
        if self.task(task.id) is not None:
            return self
        return msgspec.structs.replace(self, closed_tasks={**self.closed_tasks, task.id: task})


EMPTY_STATE = FleetState()
