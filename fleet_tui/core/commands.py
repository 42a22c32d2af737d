"""What an operator can ask the engine to do. Every command becomes events or a refusal."""

from enum import StrEnum

import msgspec

from fleet_tui.core.ids import AgentName, AlertId, Seq, TaskId
from fleet_tui.core.state import TaskSpec
from fleet_tui.core.untrusted import Untrusted


class CommandBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="do"):
    """What every command is."""


class Submit(CommandBase, frozen=True, kw_only=True, tag="submit"):
    """New work. The same key with the same payload is the same task, however often it is sent."""

    task: TaskId
    key: str
    spec: TaskSpec


class Cancel(CommandBase, frozen=True, kw_only=True, tag="cancel"):
    """Take a task off the queue or stop its run."""

    task: TaskId
    reason: str = ""


class Cordon(CommandBase, frozen=True, kw_only=True, tag="cordon"):
    """Keep agents out of routing; what they run goes on."""

    agents: tuple[AgentName, ...]
    reason: str = ""


class Uncordon(CommandBase, frozen=True, kw_only=True, tag="uncordon"):
    """Let agents take work again."""

    agents: tuple[AgentName, ...]


class Verdict(StrEnum):
    """What an operator can say about a task that nobody else can judge."""

    RAN = "ran"
    DID_NOT_RUN = "did-not-run"
    RUN_AGAIN = "run-again"


class Resolve(CommandBase, frozen=True, kw_only=True, tag="resolve"):
    """An operator's verdict on a task that needs one."""

    task: TaskId
    verdict: Verdict
    reason: str


class Requeue(CommandBase, frozen=True, kw_only=True, tag="requeue"):
    """Run a failed task again as it was."""

    task: TaskId
    reason: str = ""


class Ack(CommandBase, frozen=True, kw_only=True, tag="ack"):
    """I have this alert in hand."""

    alert: AlertId


class AddNote(CommandBase, frozen=True, kw_only=True, tag="note"):
    """Mark this moment."""

    text: Untrusted


class ProbeNow(CommandBase, frozen=True, kw_only=True, tag="probe"):
    """Look at agents at once instead of at their next turn."""

    agents: tuple[AgentName, ...]


class StopEngine(CommandBase, frozen=True, kw_only=True, tag="stop-engine"):
    """End the engine in good order; running work goes on at the agents."""

    reason: str = ""


class Freeze(CommandBase, frozen=True, kw_only=True, tag="freeze"):
    """Start nothing until a thaw; what runs goes on, what is submitted waits."""

    reason: str = ""


class Thaw(CommandBase, frozen=True, kw_only=True, tag="thaw"):
    """Start work again after a freeze."""


Command = (
    Submit
    | Cancel
    | Cordon
    | Uncordon
    | Resolve
    | Requeue
    | Ack
    | AddNote
    | ProbeNow
    | Freeze
    | Thaw
    | StopEngine
)


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """The command's events are committed."""

    seq: Seq
    task: TaskId | None = None
    number: int | None = None
    duplicate: bool = False
    """A submit whose key was known: nothing new was made."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """Nothing was done, and why."""

    code: str
    """A stable word: ``unknown-task``, ``key-conflict``, ``not-waiting`` …"""
    text: str
    hint: str = ""


Reply = Accepted | Refused
