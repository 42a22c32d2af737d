"""What the committed events tell about runs and tasks, kept for the checkers as it comes.

Deliberately not :mod:`fleet_tui.core.ledger.fold`: the checkers read the ledger with eyes of their
own.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, assert_never

import msgspec
from msgspec.structs import replace

from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import FleetSpec, Priority, TaskClass
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.tasks.events import (
    AboutAttempt,
    AboutTask,
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
    TaskExpedited,
    TaskHeld,
    TaskNeedsOperator,
    TaskPending,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import Blame, LateWord
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec

AskedOfTask = (
    TaskSubmitted
    | TaskResolved
    | TaskCancelRequested
    | TaskEdited
    | TaskDropped
    | TaskHeld
    | TaskReleased
    | TaskExpedited
    | TaskReprioritized
)
"""What people ask for."""

DecidedOfTask = TaskPending | TaskPlaced | TaskRetrying | TaskBlamed | TaskNeedsOperator | TaskEnded
"""What becomes of a task. With what people ask for that is all: the type checker compares."""


class Run(msgspec.Struct, kw_only=True):
    """What was committed about an attempt, and when, in virtual seconds."""

    id: str
    task: str
    agent: AgentName
    placed_s: float
    may_duplicate: bool
    """The ledger says that an earlier attempt may still run."""
    fleet: FleetSpec
    """In force when it was placed."""
    spec: TaskSpec
    """What its task asked for when it was placed."""
    unknown_s: float | None = None
    cancelling_s: float | None = None
    cancelled_by: int = 0
    """The epoch of the engine that was told to stop it; 0 for none."""
    given_up_s: float | None = None
    given_up_by_verdict: bool = False
    unwanted_s: float | None = None
    """Since when it is given up and its task goes on without it, or shall not be done."""
    ended_s: float | None = None


class TaskView(msgspec.Struct, kw_only=True):
    """What was committed about a task."""

    id: str
    key: str
    spec: TaskSpec
    """As it was submitted."""
    wanted: TaskSpec
    """As it is now: an operator may have edited it."""
    priority: Priority
    number: int
    waits: bool = True
    not_before_ms: int = 0
    may_duplicate: bool = False
    held: bool = False
    expedited_s: float | None = None
    last: str | None = None
    """Its newest run."""
    failed_by: set[AgentName] = msgspec.field(default_factory=set)
    """Agents that failed it, or refused it, by their own fault."""
    tried_ms: int = 0
    """When its newest run ended."""
    ended: TaskPhase | None = None
    ended_s: float | None = None
    cancelled_s: float | None = None
    """Since when it is to be stopped; None when nobody wants that, or somebody decided since."""
    needs_operator: bool = False
    """Nobody but an operator may say what becomes of it."""
    judged: bool = False
    """An operator gave a verdict, from which something has to follow next."""
    dropped: bool = False
    marked: bool = False
    """A run of it left a checkpoint."""

    @property
    def rank(self) -> tuple[float, ...]:
        """Its place in the queue; the smaller goes first."""
        if self.expedited_s is not None:
            return (-1.0, self.expedited_s, self.priority, self.number)
        return (self.priority, self.number)

    @property
    def goes_on(self) -> bool:
        """Whether its next run is to go on from a checkpoint."""
        return self.marked and self.wanted.task_class is TaskClass.RESUMABLE


class Requeued(NamedTuple):
    """A dead letter that may run again, as committed."""

    task: str
    why: str
    """The operator's reason."""
    seq: int
    at_ms: int
    not_before_ms: int


class LedgerView:
    """The ledger as told so far."""

    def __init__(self, broken: Callable[[str, str], None]) -> None:
        """``broken`` is told of what no ledger may say: the invariant, and what was said."""
        self._broken = broken
        self.tasks: dict[str, TaskView] = {}
        self.runs: dict[str, Run] = {}
        self.requeued: list[Requeued] = []
        self.fleets: list[FleetSpec] = []
        self.told: list[tuple[float, Recorded]] = []
        """Every event with the moment in which it was committed."""

    def hear(self, rows: Sequence[Recorded], now_s: float) -> None:
        """These were committed now."""
        for row in rows:
            self.told.append((now_s, row))
            event = row.event
            if isinstance(event, AskedOfTask):
                self._asked(event, now_s)
            elif isinstance(event, AboutTask):
                self._task(event, row, now_s)
            elif isinstance(event, AboutAttempt):
                self._run(event, row, now_s)
            elif isinstance(event, FleetLoaded):
                self.fleets.append(event.spec)

    def _goes_on(self, task: TaskView, how: str, now_s: float) -> None:
        """Something becomes of a task: no run of it may be open, and nobody may have to ask."""
        run = self.runs.get(task.last or "")
        if run is not None and run.ended_s is None and run.given_up_s is None:
            self._broken("one-attempt-at-a-time", f"{task.key} is {how} while {run.id} is open")
        if task.needs_operator:
            self._broken("operators-decide", f"{task.key} is {how}, and no operator said so")

    def _unwanted(self, task: TaskView, now_s: float) -> None:
        run = self.runs.get(task.last or "")
        if run is not None and run.given_up_s is not None and run.unwanted_s is None:
            run.unwanted_s = now_s

    def _note_end(
        self,
        event: AttemptFinished | AttemptDied | AttemptNotStarted | AttemptStopped | AttemptGivenUp,
        at_ms: int,
    ) -> None:
        run = self.runs[event.run]
        task = self.tasks[run.task]
        if task.last == event.run:
            task.tried_ms = at_ms
        if isinstance(event, AttemptFinished | AttemptNotStarted) and event.blame is Blame.AGENT:
            task.failed_by.add(run.agent)

    def _task(self, event: DecidedOfTask, row: Recorded, now_s: float) -> None:
        match event:
            case TaskPlaced():
                task = self.tasks[event.task]
                if row.at_ms < task.not_before_ms:
                    early_ms = task.not_before_ms - row.at_ms
                    self._broken("waits-its-turn", f"{event.run} was placed {early_ms} ms early")
                task.waits, task.last = False, event.run
                self.runs[event.run] = Run(
                    id=event.run,
                    task=event.task,
                    agent=event.agent,
                    placed_s=now_s,
                    may_duplicate=task.may_duplicate,
                    fleet=self.fleets[-1],
                    spec=task.wanted,
                )
            case TaskRetrying():
                task = self.tasks[event.task]
                self._goes_on(task, "retried", now_s)
                if event.by and not task.judged:
                    if task.ended is None:
                        self._broken("only-dead-letters", f"{task.key} was requeued while open")
                    again = Requeued(event.task, event.why, row.seq, row.at_ms, event.not_before_ms)
                    self.requeued.append(again)
                task.judged = False
                task.dropped, task.cancelled_s = False, None
                task.waits, task.not_before_ms, task.ended = True, event.not_before_ms, None
                task.may_duplicate = task.may_duplicate or event.duplicate_possible
                self._unwanted(task, now_s)
            case TaskEnded():
                task = self.tasks[event.task]
                self._goes_on(task, event.phase.value, now_s)
                task.judged = False
                task.waits, task.ended, task.ended_s = False, event.phase, now_s
                if event.phase is not TaskPhase.SUCCEEDED:
                    self._unwanted(task, now_s)
            case TaskNeedsOperator():
                task = self.tasks[event.task]
                task.waits, task.needs_operator = False, True
            case TaskPending() | TaskBlamed():
                pass
            case _:
                assert_never(event)

    def _run(self, event: AttemptEvent, row: Recorded, now_s: float) -> None:
        match event:
            case AttemptUnknown():
                self.runs[event.run].unknown_s = now_s
            case AttemptCancelling():
                run = self.runs[event.run]
                run.cancelling_s, run.cancelled_by = now_s, row.epoch
            case AttemptCheckpointed():
                self.tasks[self.runs[event.run].task].marked = True
            case AttemptGivenUp():
                run = self.runs[event.run]
                run.given_up_s = now_s
                self._note_end(event, row.at_ms)
            case AttemptFinished() | AttemptDied() | AttemptNotStarted() | AttemptStopped():
                self.runs[event.run].ended_s = now_s
                self._note_end(event, row.at_ms)
            case AttemptTold(says=says):
                if says is LateWord.NEVER_STARTED or says is LateWord.DIED:
                    # Proved by its host, so nobody has to be asked; whether it is true is checked.
                    task = self.tasks[self.runs[event.run].task]
                    task.needs_operator = task.needs_operator and task.last != event.run
            case AttemptStarted() | AttemptSeen() | AttemptTroubled() | AttemptSuspended():
                pass
            case AttemptCancelRefused() | AttemptLate():
                pass
            case _:
                assert_never(event)

    def _asked(self, event: AskedOfTask, now_s: float) -> None:
        match event:
            case TaskSubmitted():
                self.tasks[event.task] = TaskView(
                    id=event.task,
                    key=event.key,
                    spec=event.spec,
                    wanted=event.spec,
                    priority=event.spec.priority,
                    number=event.number,
                )
            case TaskResolved():
                task = self.tasks[event.task]
                task.needs_operator, task.cancelled_s = False, None
                task.judged = True
                last = self.runs.get(task.last or "")
                if last is not None and last.given_up_s is None:
                    last.given_up_by_verdict = True
            case TaskCancelRequested():
                task = self.tasks[event.task]
                task.needs_operator, task.cancelled_s = False, now_s
            case TaskEdited():
                task = self.tasks[event.task]
                if task.ended is None:
                    self._broken("only-dead-letters", f"{task.key} was edited while it was open")
                task.wanted = event.spec
            case TaskDropped():
                self.tasks[event.task].dropped = True
            case TaskHeld():
                self.tasks[event.task].held = True
            case TaskReleased():
                self.tasks[event.task].held = False
            case TaskExpedited():
                self.tasks[event.task].expedited_s = now_s
            case TaskReprioritized():
                task = self.tasks[event.task]
                task.priority = event.priority
                task.wanted = replace(task.wanted, priority=event.priority)
            case _:
                assert_never(event)
