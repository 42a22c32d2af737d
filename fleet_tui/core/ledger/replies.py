"""Replies to commands."""

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
    """A submit whose key was known: no new task was created."""
    changed: int | None = None
    """For a command that names many things: how many of them it changed."""
    undo: tuple[Command, ...] = ()
    """The commands that undo it where it is still in force; empty where it cannot be undone."""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """Nothing was done, and why."""

    code: RefusalCode
    text: str
    hint: str = ""


Reply = Accepted | Refused
