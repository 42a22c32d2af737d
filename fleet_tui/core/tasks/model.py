"""A task in the ledger: its specification, and every attempt at it."""

from enum import StrEnum
from typing import Final, NamedTuple, assert_never

import msgspec

from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.fleet import (
    Deadlines,
    Priority,
    TaskClass,
)
from fleet_tui.core.ids import (
    AgentName,
    Capability,
    ClientName,
    Epoch,
    PoolName,
    Region,
    RunId,
    TaskId,
    task_label,
)
from fleet_tui.core.routing.decision import Pending, RoutingDecision
from fleet_tui.core.tasks.codes import failed_words
from fleet_tui.core.tasks.evidence import Answer, Blame, Checkpoint, LateWord, LostReason, Usage
from fleet_tui.core.text.redaction import without_secrets
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_SHOWN_CHARS = 2_000
"""Of a payload, wherever a line shows it."""


class AttemptPhase(StrEnum):
    """The phase of an attempt. The first four are open."""

    PLANNED = "planned"
    RUNNING = "running"
    UNKNOWN = "unknown"
    CANCELLING = "cancelling"
    NOT_STARTED = "not-started"
    """Refused before it began."""
    FENCED = "fenced"
    """Never started, and a tombstone on its host prevents a late start."""
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
        return _PHASES[self].is_open

    @property
    def is_at_work(self) -> bool:
        """Whether its agent is known to be working on it."""
        return _PHASES[self].is_at_work

    @property
    def never_started(self) -> bool:
        """Whether it is certain that nothing of it ever ran."""
        return _PHASES[self].never_started

    @property
    def is_bad_end(self) -> bool:
        """Whether it counts against its agent, whoever is to blame."""
        return _PHASES[self].is_bad_end


class _Phase(NamedTuple):
    is_open: bool = False
    is_at_work: bool = False
    never_started: bool = False
    is_bad_end: bool = False


_PHASES: Final = {
    AttemptPhase.PLANNED: _Phase(is_open=True),
    AttemptPhase.RUNNING: _Phase(is_open=True, is_at_work=True),
    AttemptPhase.UNKNOWN: _Phase(is_open=True),
    AttemptPhase.CANCELLING: _Phase(is_open=True, is_at_work=True),
    AttemptPhase.NOT_STARTED: _Phase(never_started=True),
    AttemptPhase.FENCED: _Phase(never_started=True),
    AttemptPhase.DIED: _Phase(is_bad_end=True),
    AttemptPhase.GIVEN_UP: _Phase(),
    AttemptPhase.SUCCEEDED: _Phase(),
    AttemptPhase.FAILED: _Phase(is_bad_end=True),
    AttemptPhase.CANCELLED: _Phase(),
    AttemptPhase.TIMED_OUT: _Phase(is_bad_end=True),
}


class CancelCause(StrEnum):
    """Why an attempt is stopped."""

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
    decision: RoutingDecision
    epoch: Epoch = Epoch(0)
    """Of the engine that planned it; 0 in ledgers that did not record it."""
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    unknown_since_ms: int | None = None
    lost: LostReason | None = None
    boot_id: str | None = None
    resumed_by_agent: bool = False
    model_trouble: ModelTrouble | None = None
    """What is wrong with its model, as its agent last reported."""
    suspended_at_ms: int | None = None
    """When its program was found stopped on its host; None while it runs."""
    cancel_cause: CancelCause | None = None
    cancel_refused: Untrusted | None = None
    """Its agent's reply when it took no cancel because it drains."""
    reason: str = ""
    blame: Blame = Blame.NOBODY
    """Who is to blame that it did not start or failed."""
    detail: Untrusted = NOTHING_SAID
    answer: Answer = Answer()
    usage: Usage = Usage()
    cost_microusd: int = 0
    checkpoint: Checkpoint | None = None
    """The newest one known."""
    late: bool = False
    """A result came after the attempt was given up; it is stored and changes nothing."""
    late_ok: bool | None = None
    """Whether that result is a success; None where that was not recorded."""
    late_failure: str = ""
    """Its failure code."""
    late_word: LateWord | None = None
    """Its agent's last report after it was given up."""

    @property
    def is_over(self) -> bool:
        """Whether its agent has reported its end, even if late."""
        return self.late or (self.late_word is not None and self.late_word.is_final)

    @property
    def is_unheard(self) -> bool:
        """Whether it was given up, and its agent has not reported its end since."""
        return self.phase is AttemptPhase.GIVEN_UP and not self.is_over

    @property
    def told_late(self) -> str:
        """Completes "its agent said since then that it …"; empty where there was no report."""
        if not self.late:
            return "" if self.late_word is None else self.late_word.text
        if self.late_ok is None:
            return "ended"
        why = f": {failed_words(self.late_failure)}" if self.late_failure else ""
        return "ended well" if self.late_ok else f"failed{why}"


class TaskSpec(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The specification of a task as the operator submitted it."""

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
    """None means the fleet's."""
    written_deadlines: tuple[str, ...] | None = None
    """Which of ``deadlines`` the submitter set, by field; the others were the fleet's then. None
    where that was not recorded."""
    labels: dict[str, str] = {}

    @property
    def shown(self) -> Untrusted:
        """The beginning of the payload, redacted, long enough for any line."""
        return without_secrets(self.payload, MAX_SHOWN_CHARS)


class TaskPhase(StrEnum):
    """The phase of a task."""

    WAITING = "waiting"
    ACTIVE = "active"
    NEEDS_OPERATOR = "needs-operator"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_closed(self) -> bool:
        """Whether the task no longer changes by itself."""
        match self:
            case TaskPhase.WAITING | TaskPhase.ACTIVE | TaskPhase.NEEDS_OPERATOR:
                return False
            case TaskPhase.SUCCEEDED | TaskPhase.FAILED | TaskPhase.CANCELLED | TaskPhase.EXPIRED:
                return True
            case _:
                assert_never(self)

    @property
    def has_failed(self) -> bool:
        """Whether it ended unsuccessfully and was not cancelled."""
        match self:
            case TaskPhase.FAILED | TaskPhase.EXPIRED:
                return True
            case (
                TaskPhase.WAITING
                | TaskPhase.ACTIVE
                | TaskPhase.NEEDS_OPERATOR
                | TaskPhase.SUCCEEDED
                | TaskPhase.CANCELLED
            ):
                return False
            case _:
                assert_never(self)


class HoldRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A hold by an operator."""

    by: str
    reason: str
    since_ms: int


class Task(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A task and all its attempts."""

    id: TaskId
    number: int
    key: str
    """The submitter's key: the same key is the same task."""
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
    """When an operator last had it run again, after its end or by a verdict; for a paced requeue
    the instant of its turn. Its deadlines count from then."""
    duplicate_possible: bool = False
    """It was run again while an earlier run may have had effects, or may still be running."""
    judged: RunId | None = None
    """The newest run that an operator gave a verdict on."""
    hold: HoldRecord | None = None
    expedited_at_ms: int | None = None
    """Since when it is expedited, if an operator did that."""
    asked: TaskSpec | None = None
    """The original specification, where an operator has changed ``spec`` since."""
    dropped_by: str | None = None
    """Who dismissed its failure."""
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
        """The start of its deadlines: its submission, or its last requeue."""
        return self.submitted_at_ms if self.requeued_at_ms is None else self.requeued_at_ms

    @property
    def submitted_spec(self) -> TaskSpec:
        """The specification that its key stands for."""
        return self.asked or self.spec

    @property
    def is_retry(self) -> bool:
        """Whether its next placement would be another try at the same request."""
        return bool(self.attempts) and self.attempts[-1].planned_at_ms >= self.asked_at_ms

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint of all its attempts."""
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
        """Whether one of its runs reported an unusable cost."""
        return any(a.usage.unusable for a in self.attempts)


class Starts(msgspec.Struct, frozen=True):
    """Placements of one second."""

    second: int
    """Since the Unix epoch."""
    first: int = 0
    retries: int = 0
