"""The events of tasks and their attempts."""

from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.routing.decision import Pending, RoutingDecision
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.evidence import Answer, Blame, Checkpoint, LateWord, LostReason, Usage
from fleet_tui.core.tasks.model import CancelCause, TaskPhase, TaskSpec
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class AboutTask(EventBase, frozen=True, kw_only=True):
    """What becomes of a task."""

    task: TaskId


class AboutAttempt(EventBase, frozen=True, kw_only=True):
    """What happens to one attempt at a task."""

    run: RunId


class TaskSubmitted(AboutTask, frozen=True, kw_only=True, tag="task.submitted"):
    """Work was accepted; from here on it cannot be lost."""

    number: int
    key: str
    spec: TaskSpec
    by: str
    payload_sha256: str


class TaskPending(AboutTask, frozen=True, kw_only=True, tag="task.pending"):
    """The reason why the task waits changed."""

    pending: Pending


class TaskPlaced(AboutTask, frozen=True, kw_only=True, tag="task.placed"):
    """An agent was chosen and an attempt planned. Its start is sent only after this is
    committed."""

    run: RunId
    number: int
    agent: AgentName
    decision: RoutingDecision


class AttemptStarted(AboutAttempt, frozen=True, kw_only=True, tag="attempt.started"):
    """The agent's host has accepted the run."""

    boot_id: str | None = None


class AttemptSeen(AboutAttempt, frozen=True, kw_only=True, tag="attempt.seen"):
    """A run in unknown state was found running."""

    resumed_by_agent: bool = False


class AttemptTroubled(AboutAttempt, frozen=True, kw_only=True, tag="attempt.troubled"):
    """The model of a run fails and the agent itself retries it; None when it works again."""

    trouble: ModelTrouble | None = None


class AttemptSuspended(AboutAttempt, frozen=True, kw_only=True, tag="attempt.suspended"):
    """The program of a run was found stopped on its host (SIGSTOP), or continued."""

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
    """It is unknown whether the run still runs."""

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
    """The agent takes no cancel while it drains: the run continues, and the cancel is repeated."""

    detail: Untrusted = NOTHING_SAID


class AttemptStopped(AboutAttempt, frozen=True, kw_only=True, tag="attempt.stopped"):
    """The run stopped because it was told to."""

    usage: Usage = Usage()
    cost_microusd: int = 0


class AttemptGivenUp(AboutAttempt, frozen=True, kw_only=True, tag="attempt.given-up"):
    """Unknown for longer than ``lost_after``. It may still have run."""

    reason: str


class AttemptLate(AboutAttempt, frozen=True, kw_only=True, tag="attempt.late"):
    """A result came after the attempt was given up: attached, and nothing changes."""

    ok: bool
    failure: str = ""
    """As in AttemptFinished."""
    detail: Untrusted = NOTHING_SAID
    answer: Answer = Answer()
    usage: Usage = Usage()
    cost_microusd: int = 0


class AttemptTold(AboutAttempt, frozen=True, kw_only=True, tag="attempt.told"):
    """The agent's report about an attempt that was given up, once it could be asked again."""

    says: LateWord
    usage: Usage = Usage()
    """Of a run that was stopped."""
    cost_microusd: int = 0


class TaskRetrying(AboutTask, frozen=True, kw_only=True, tag="task.retrying"):
    """The task goes back to the queue."""

    not_before_ms: int
    reason: str
    duplicate_possible: bool = False
    by: str = ""
    """The operator who requested it; empty when the engine decided."""
    why: str = ""
    """The operator's own reason for a requeue."""


class TaskBlamed(AboutTask, frozen=True, kw_only=True, tag="task.blamed"):
    """Agents refused or failed the task in the same way: it does not count against them."""

    reason: str
    agents: tuple[AgentName, ...]


class TaskNeedsOperator(AboutTask, frozen=True, kw_only=True, tag="task.needs-operator"):
    """The task needs an operator's verdict or decision."""

    reason: str


class TaskResolved(AboutTask, frozen=True, kw_only=True, tag="task.resolved"):
    """An operator said what happened."""

    verdict: Verdict
    by: str
    reason: str


class TaskCancelRequested(AboutTask, frozen=True, kw_only=True, tag="task.cancel-requested"):
    """An operator cancelled the task; a running attempt is being stopped."""

    by: str
    reason: str = ""


class TaskHeld(AboutTask, frozen=True, kw_only=True, tag="task.held"):
    """An operator holds the task."""

    by: str
    reason: str = ""


class TaskReleased(AboutTask, frozen=True, kw_only=True, tag="task.released"):
    """The task may be placed again."""

    by: str


class TaskExpedited(AboutTask, frozen=True, kw_only=True, tag="task.expedited"):
    """The task moved to the front of the queue."""

    by: str
    reason: str = ""


class TaskReprioritized(AboutTask, frozen=True, kw_only=True, tag="task.reprioritized"):
    """The task has another priority."""

    priority: Priority
    by: str


class TaskEdited(AboutTask, frozen=True, kw_only=True, tag="task.edited"):
    """The specification of a dead letter was changed."""

    spec: TaskSpec
    payload_sha256: str
    by: str


class TaskDropped(AboutTask, frozen=True, kw_only=True, tag="task.dropped"):
    """A dead letter was dismissed."""

    by: str
    reason: str


class TaskEnded(AboutTask, frozen=True, kw_only=True, tag="task.ended"):
    """The task reached its final phase."""

    phase: TaskPhase
    reason: str = ""


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
"""What happens to one attempt at it."""
