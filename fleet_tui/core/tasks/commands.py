"""Commands for tasks."""

from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import RunId, TaskId
from fleet_tui.core.ledger.base import CommandBase, Made, Tier
from fleet_tui.core.tasks.model import TaskSpec


class Submit(CommandBase, frozen=True, kw_only=True, tag="submit"):
    """New work. The same key with the same payload is the same task, however often it is sent."""

    tier: ClassVar[Tier] = Tier.LINE
    task: TaskId
    key: str
    spec: TaskSpec


class Cancel(CommandBase, frozen=True, kw_only=True, tag="cancel"):
    """Remove tasks from the queue, and stop the runs of those that run."""

    tier: ClassVar[Tier] = Tier.PLAN
    tasks: tuple[TaskId, ...]
    reason: str = ""


class Verdict(StrEnum):
    """An operator's verdicts on a task whose outcome cannot be determined otherwise."""

    RAN = "ran"
    DID_NOT_RUN = "did-not-run"
    RUN_AGAIN = "run-again"

    @property
    def text(self) -> str:
        """As an operator says it of the task."""
        return _VERDICTS[self].text

    @property
    def follows(self) -> str:
        """What becomes of the task then."""
        return _VERDICTS[self].follows


class _Verdict(NamedTuple):
    text: str
    follows: str


_VERDICTS: Final = {
    Verdict.RAN: _Verdict("it ran", "succeeded; nothing runs again"),
    Verdict.DID_NOT_RUN: _Verdict("it did not run", "queued again"),
    Verdict.RUN_AGAIN: _Verdict("run it again", "queued again; may be done twice"),
}


class Resolve(CommandBase, frozen=True, kw_only=True, tag="resolve"):
    """An operator's verdict on a task that needs one."""

    tier: ClassVar[Tier] = Tier.PLAN
    task: TaskId
    run: RunId | None = None
    """The newest run whose evidence the author saw; None where there was none. A verdict on a run
    other than the newest is refused."""
    verdict: Verdict
    reason: str


MAX_NAMED_TASKS = 10_000
"""Tasks that one command may name."""


class Hold(CommandBase, frozen=True, kw_only=True, tag="hold"):
    """Hold queued tasks until released."""

    tier: ClassVar[Tier] = Tier.LINE
    tasks: tuple[TaskId, ...]
    reason: str = ""


class Release(CommandBase, frozen=True, kw_only=True, tag="release"):
    """Release held tasks for placement."""

    tier: ClassVar[Tier] = Tier.LINE
    tasks: tuple[TaskId, ...]
    held: Made | None = None
    """Only the holds set then by that operator."""


class Expedite(CommandBase, frozen=True, kw_only=True, tag="expedite"):
    """Move waiting tasks to the front of the queue. Running tasks are not preempted."""

    tier: ClassVar[Tier] = Tier.LINE
    tasks: tuple[TaskId, ...]
    reason: str = ""


class SetPriority(CommandBase, frozen=True, kw_only=True, tag="set-priority"):
    """Give waiting tasks another priority."""

    tier: ClassVar[Tier] = Tier.LINE
    tasks: tuple[TaskId, ...]
    priority: Priority
    was: Priority | None = None
    """Only for tasks that have this priority now."""


class Requeue(CommandBase, frozen=True, kw_only=True, tag="requeue"):
    """Run tasks that failed, expired or were cancelled again."""

    tier: ClassVar[Tier] = Tier.PLAN
    tasks: tuple[TaskId, ...]
    per_minute: int | None = None
    """Paces them: how many of them may be placed per minute. None releases all at once."""
    reason: str = ""


class Edit(CommandBase, frozen=True, kw_only=True, tag="edit"):
    """Change what a dead letter asks for; requeue it afterwards."""

    tier: ClassVar[Tier] = Tier.LINE
    task: TaskId
    spec: TaskSpec
    seen: TaskSpec | None = None
    """Its specification as the author saw it, without its text. If it has changed since, the edit
    is refused."""
    seen_sha256: str = ""
    """SHA-256 of the task's text as the author saw it."""


class Drop(CommandBase, frozen=True, kw_only=True, tag="drop"):
    """Dismiss failed tasks. They stay in the journal."""

    tier: ClassVar[Tier] = Tier.PLAN
    tasks: tuple[TaskId, ...]
    reason: str


TaskCommand = (
    Submit | Cancel | Hold | Release | Expedite | SetPriority | Requeue | Edit | Drop | Resolve
)
