"""What comes back of a command."""

import msgspec

from fleet_tui.core.ids import Seq, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """The command's events are committed."""

    seq: Seq
    task: TaskId | None = None
    number: int | None = None
    duplicate: bool = False
    """A submit whose key was known: nothing new was made."""
    changed: int | None = None
    """Of a command that names many things: for how many it did something."""
    undo: tuple[Command, ...] = ()
    """Takes back what was done, as far as it still is so; empty where nothing does."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """Nothing was done, and why."""

    code: RefusalCode
    text: str
    hint: str = ""


Reply = Accepted | Refused
