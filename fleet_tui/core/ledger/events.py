"""Everything that can be decided, as the ledger keeps it.

``kind`` strings are stable for ever and bodies only grow (new fields have defaults). A kind this
version does not know is kept and counted (:class:`UnknownEvent`), never dropped.
"""

import msgspec

from fleet_tui.core.agents.breaker import SETTLED_MS
from fleet_tui.core.agents.vitals import FailureKind, Limit, ModelTrouble
from fleet_tui.core.fleet import FleetSpec, Priority
from fleet_tui.core.ids import AgentName, AlertId, Epoch, PoolName, RunId, Seq, TaskId, split_run_id
from fleet_tui.core.ledger.state import (
    CancelCause,
    FleetState,
    Health,
    Severity,
    TaskPhase,
    TaskSpec,
)
from fleet_tui.core.modes import EngineMode, Trouble
from fleet_tui.core.routing.decision import Decision, Pending
from fleet_tui.core.tasks.evidence import Answer, Blame, Checkpoint, LateWord, LostReason, Usage
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class EventBase(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="kind"):
    """What every event is: a frozen value with a stable kind.

    Values made of values cannot refer back to themselves, so the collector of cycles need not know
    them (``gc=False``, as with the parts that are stored in numbers): it would walk all of them
    again and again while a ledger is read.
    """


class AboutTask(EventBase, frozen=True, kw_only=True):
    """What becomes of a task."""

    task: TaskId


class AboutAttempt(EventBase, frozen=True, kw_only=True):
    """What becomes of one try at a task."""

    run: RunId


class SegmentOpened(EventBase, frozen=True, kw_only=True, tag="segment.opened"):
    """The first event of a journal file: the state that all earlier files add up to."""

    state: FleetState


class EngineStarted(EventBase, frozen=True, kw_only=True, tag="engine.started"):
    """A new engine owns the ledger."""

    epoch: Epoch
    version: str
    pid: int


class EngineStopped(EventBase, frozen=True, kw_only=True, tag="engine.stopped"):
    """The engine let go of the ledger in good order."""

    reason: str


class EngineModeChanged(EventBase, frozen=True, kw_only=True, tag="engine.mode"):
    """The engine can do less than before, or everything again."""

    mode: EngineMode
    was: EngineMode
    reason: str
    by: str = ""
    """Who decided; empty when the engine did."""


class EngineUnitFailed(EventBase, frozen=True, kw_only=True, tag="engine.unit-failed"):
    """A part of the engine met a bug and was started again; what it did last may be missing."""

    unit: str
    error: str
    """The kind of error; its traceback is in the engine's own log."""


class EngineTroubled(EventBase, frozen=True, kw_only=True, tag="engine.troubled"):
    """The engine is short of something and works on, or is not any more."""

    trouble: Trouble
    text: str = ""
    """What is wrong, with the advice; empty when it is over."""


class FleetFileJudged(EventBase, frozen=True, kw_only=True, tag="fleet.file-judged"):
    """A newer fleet file cannot be taken, and the last good one stays in force; or it can again."""

    problem: str = ""
    """The first problem; empty when there is none any more."""


class FleetLoaded(EventBase, frozen=True, kw_only=True, tag="fleet.loaded"):
    """The fleet file in force from now on. Agents that it no longer names are retired."""

    spec: FleetSpec
    by: str = ""


class HealthChanged(EventBase, frozen=True, kw_only=True, tag="agent.health"):
    """An agent's looks add up to something new."""

    agent: AgentName
    health: Health
    was: Health
    reason: str
    failure: FailureKind | None = None
    detail: Untrusted = NOTHING_SAID
    quarantine_until_ms: int | None = None


class AgentIdentified(EventBase, frozen=True, kw_only=True, tag="agent.identified"):
    """An agent told its version or process, for the first time or anew."""

    agent: AgentName
    version: str | None
    boot_id: str | None
    limits: tuple[Limit, ...] = ()
    """What its release cannot do."""


class AgentCordoned(EventBase, frozen=True, kw_only=True, tag="agent.cordoned"):
    """Kept out of routing."""

    agent: AgentName
    by: str
    reason: str = ""


class AgentUncordoned(EventBase, frozen=True, kw_only=True, tag="agent.uncordoned"):
    """Back in routing."""

    agent: AgentName
    by: str


class AgentTripped(EventBase, frozen=True, kw_only=True, tag="agent.tripped"):
    """An agent gets no work because what it got failed: for the first time, or a trial of it ended
    without success."""

    agent: AgentName
    reason: str
    detail: Untrusted = NOTHING_SAID
    until_ms: int
    """No trial before this instant."""
    opens: int = 1
    harmless: bool = False
    tasks: tuple[TaskId, ...] = ()
    """Those that failed now."""
    settled_ms: int = SETTLED_MS
    """How long a trial has to go on to count as one that does not fail."""


class AgentTrusted(EventBase, frozen=True, kw_only=True, tag="agent.trusted"):
    """An agent gets work again: a trial went well, or the tasks were to blame."""

    agent: AgentName
    reason: str


class FailoverFrozen(EventBase, frozen=True, kw_only=True, tag="failover.frozen"):
    """Too many agents of a pool were lost at once to believe it."""

    pool: PoolName
    reason: str


class FailoverThawed(EventBase, frozen=True, kw_only=True, tag="failover.thawed"):
    """Failover of the pool works again."""

    pool: PoolName


class TaskSubmitted(AboutTask, frozen=True, kw_only=True, tag="task.submitted"):
    """Work was accepted; from here on it cannot be lost."""

    number: int
    key: str
    spec: TaskSpec
    by: str
    payload_sha256: str


class TaskPending(AboutTask, frozen=True, kw_only=True, tag="task.pending"):
    """The task waits for a new reason."""

    pending: Pending


class TaskPlaced(AboutTask, frozen=True, kw_only=True, tag="task.placed"):
    """An agent was chosen and an attempt planned. Its start leaves only after this is committed."""

    run: RunId
    number: int
    agent: AgentName
    decision: Decision


class AttemptStarted(AboutAttempt, frozen=True, kw_only=True, tag="attempt.started"):
    """The agent's host holds the run."""

    boot_id: str | None = None


class AttemptSeen(AboutAttempt, frozen=True, kw_only=True, tag="attempt.seen"):
    """A run whose fate was unknown was found running."""

    resumed_by_agent: bool = False


class AttemptTroubled(AboutAttempt, frozen=True, kw_only=True, tag="attempt.troubled"):
    """The model of a run fails and is asked again by the agent itself; None when it works again."""

    trouble: ModelTrouble | None = None


class AttemptSuspended(AboutAttempt, frozen=True, kw_only=True, tag="attempt.suspended"):
    """The program of a run was found stopped on its host (SIGSTOP), or going on again."""

    suspended: bool


class AttemptNotStarted(AboutAttempt, frozen=True, kw_only=True, tag="attempt.not-started"):
    """The run never started and never will."""

    reason: str
    detail: Untrusted = NOTHING_SAID
    fenced: bool = False
    blame: Blame = Blame.NOBODY


class AttemptCheckpointed(AboutAttempt, frozen=True, kw_only=True, tag="attempt.checkpointed"):
    """The run left a checkpoint from which another one could continue."""

    checkpoint: Checkpoint


class AttemptUnknown(AboutAttempt, frozen=True, kw_only=True, tag="attempt.unknown"):
    """Nobody can say now whether the run runs."""

    reason: LostReason
    detail: Untrusted = NOTHING_SAID


class AttemptFinished(AboutAttempt, frozen=True, kw_only=True, tag="attempt.finished"):
    """The run ended with a result."""

    ok: bool
    answer: Answer = Answer()
    usage: Usage = Usage()
    cost_microusd: int = 0
    failure: str = ""
    detail: Untrusted = NOTHING_SAID
    blame: Blame = Blame.NOBODY


class AttemptDied(AboutAttempt, frozen=True, kw_only=True, tag="attempt.died"):
    """The run started and is gone without a result."""

    reason: str


class AttemptCancelling(AboutAttempt, frozen=True, kw_only=True, tag="attempt.cancelling"):
    """The run was told to stop."""

    cause: CancelCause
    by: str = ""


class AttemptCancelRefused(AboutAttempt, frozen=True, kw_only=True, tag="attempt.cancel-refused"):
    """The agent takes no cancel while it drains: the run goes on, and is asked for again."""

    detail: Untrusted = NOTHING_SAID


class AttemptStopped(AboutAttempt, frozen=True, kw_only=True, tag="attempt.stopped"):
    """The run stopped because it was told to."""

    usage: Usage = Usage()
    cost_microusd: int = 0


class AttemptGivenUp(AboutAttempt, frozen=True, kw_only=True, tag="attempt.given-up"):
    """Unknown for so long that waiting ended. It may still have run."""

    reason: str


class AttemptLate(AboutAttempt, frozen=True, kw_only=True, tag="attempt.late"):
    """A result came after the attempt was given up: attached, and nothing changes."""

    ok: bool
    failure: str = ""
    """As of AttemptFinished."""
    detail: Untrusted = NOTHING_SAID
    answer: Answer = Answer()
    usage: Usage = Usage()
    cost_microusd: int = 0


class AttemptTold(AboutAttempt, frozen=True, kw_only=True, tag="attempt.told"):
    """What its agent said of an attempt that was given up, once it could be asked again."""

    says: LateWord
    usage: Usage = Usage()
    """Of a run that was stopped."""
    cost_microusd: int = 0


class TaskRetrying(AboutTask, frozen=True, kw_only=True, tag="task.retrying"):
    """The task goes back to the queue."""

    not_before_ms: int
    reason: str
    duplicate_possible: bool = False


class TaskBlamed(AboutTask, frozen=True, kw_only=True, tag="task.blamed"):
    """Agents refused or failed the task in the same way: that says nothing about them."""

    reason: str
    agents: tuple[AgentName, ...]


class TaskNeedsOperator(AboutTask, frozen=True, kw_only=True, tag="task.needs-operator"):
    """Only a person can say what happened or what to do."""

    reason: str


class TaskResolved(AboutTask, frozen=True, kw_only=True, tag="task.resolved"):
    """An operator said what happened: ``ran``, ``did-not-run`` or ``run-again``."""

    verdict: str
    by: str
    reason: str


class TaskCancelRequested(AboutTask, frozen=True, kw_only=True, tag="task.cancel-requested"):
    """An operator wants the task gone; a running attempt is being stopped."""

    by: str
    reason: str = ""


class TaskHeld(AboutTask, frozen=True, kw_only=True, tag="task.held"):
    """An operator keeps the task waiting."""

    by: str
    reason: str = ""


class TaskReleased(AboutTask, frozen=True, kw_only=True, tag="task.released"):
    """The task may be placed again."""

    by: str


class TaskExpedited(AboutTask, frozen=True, kw_only=True, tag="task.expedited"):
    """The task goes before all others."""

    by: str
    reason: str = ""


class TaskReprioritized(AboutTask, frozen=True, kw_only=True, tag="task.reprioritized"):
    """The task has another priority."""

    priority: Priority
    by: str


class TaskEdited(AboutTask, frozen=True, kw_only=True, tag="task.edited"):
    """A dead letter asks for something else now."""

    spec: TaskSpec
    payload_sha256: str
    by: str


class TaskDropped(AboutTask, frozen=True, kw_only=True, tag="task.dropped"):
    """A dead letter needs nothing more."""

    by: str
    reason: str


class TaskEnded(AboutTask, frozen=True, kw_only=True, tag="task.ended"):
    """The task reached its final phase."""

    phase: TaskPhase
    reason: str = ""


class AlertRaised(EventBase, frozen=True, kw_only=True, tag="alert.raised"):
    """A condition that wants an operator's eyes began, or its open alert says other words now."""

    alert: AlertId
    severity: Severity
    subject: str
    text: str
    detail: Untrusted = NOTHING_SAID


class AlertResolved(EventBase, frozen=True, kw_only=True, tag="alert.resolved"):
    """The condition ended."""

    alert: AlertId


class AlertAcked(EventBase, frozen=True, kw_only=True, tag="alert.acked"):
    """Somebody has it in hand."""

    alert: AlertId
    by: str


class NoteAdded(EventBase, frozen=True, kw_only=True, tag="note.added"):
    """An operator marked a moment."""

    by: str
    text: Untrusted


class UnknownEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An event of a kind that this version does not know, as its JSON stood in the journal."""

    kind: str
    body: bytes


TaskEvent = (
    TaskSubmitted
    | TaskPending
    | TaskPlaced
    | TaskRetrying
    | TaskBlamed
    | TaskNeedsOperator
    | TaskResolved
    | TaskCancelRequested
    | TaskHeld
    | TaskReleased
    | TaskExpedited
    | TaskReprioritized
    | TaskEdited
    | TaskDropped
    | TaskEnded
)
"""What becomes of a task."""

AttemptEvent = (
    AttemptStarted
    | AttemptSeen
    | AttemptNotStarted
    | AttemptCheckpointed
    | AttemptUnknown
    | AttemptFinished
    | AttemptDied
    | AttemptCancelling
    | AttemptCancelRefused
    | AttemptTroubled
    | AttemptSuspended
    | AttemptStopped
    | AttemptGivenUp
    | AttemptLate
    | AttemptTold
)
"""What becomes of one try at it."""

KnownEvent = (
    SegmentOpened
    | EngineStarted
    | EngineStopped
    | EngineModeChanged
    | EngineUnitFailed
    | EngineTroubled
    | FleetFileJudged
    | FleetLoaded
    | HealthChanged
    | AgentIdentified
    | AgentCordoned
    | AgentUncordoned
    | AgentTripped
    | AgentTrusted
    | FailoverFrozen
    | TaskEvent
    | AttemptEvent
    | FailoverThawed
    | AlertRaised
    | AlertResolved
    | AlertAcked
    | NoteAdded
)
"""What this version writes and understands; decode with ``msgspec.json.Decoder(KnownEvent)``."""

Event = KnownEvent | UnknownEvent


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event at its place in the ledger."""

    seq: Seq
    at_ms: int
    """The engine's wall clock at the commit, UTC."""
    epoch: Epoch
    event: Event


def kind_of(event: Event) -> str:
    """The stable kind string of an event."""
    if isinstance(event, UnknownEvent):
        return event.kind
    kind = type(event).__struct_config__.tag
    assert isinstance(kind, str)
    return kind


def task_of(event: Event) -> TaskId | None:
    """The task an event is about, directly or through a run."""
    if isinstance(event, AboutTask):
        return event.task
    if not isinstance(event, AboutAttempt):
        return None
    try:
        return split_run_id(event.run)[0]
    except ValueError:
        return None
