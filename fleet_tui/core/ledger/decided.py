"""The result of deciding about a command: events, or a refusal.

Every refusal has a stable code, a sentence and, where there is one, the way out.
"""

from collections.abc import Iterable
from typing import NamedTuple, assert_never

import msgspec

from fleet_tui.core.fleet import Nameable
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.text.near import nearest


class LeftOut(NamedTuple):
    """Something that a command names but does not change."""

    subject: str
    """A task's id, an agent's name, an alert's id."""
    label: str
    """The name that people use for it."""
    why: Refused


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was understood: what to commit and what to tell the operator."""

    events: tuple[Event, ...] = ()
    task: TaskId | None = None
    number: int | None = None
    duplicate: bool = False
    changed: int | None = None
    """For a command that names many things: how many of them it changes."""
    left_out: tuple[LeftOut, ...] = ()
    """The others that it names."""
    undo: tuple[Command, ...] = ()
    """The commands that undo it; empty where it cannot be undone."""


Decision = Decided | Refused


def unknown_name(what: Nameable, name: str, known: Iterable[str]) -> Refused:
    """The refusal of an unknown name, with the nearest names."""
    names = list(known)
    close = nearest(name, names, count=3)
    if close:
        hint = "Did you mean " + " or ".join(close) + "?"
    elif names:
        hint = f"Known: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}."
    else:
        hint = f"The fleet has no {what.plural}."
    return Refused(code=_code_of_unknown(what), text=f"No {what} is called {name!r}.", hint=hint)


def _code_of_unknown(what: Nameable) -> RefusalCode:
    match what:
        case Nameable.AGENT:
            return RefusalCode.UNKNOWN_AGENT
        case Nameable.POOL:
            return RefusalCode.UNKNOWN_POOL
        case Nameable.CAPABILITY:
            return RefusalCode.UNKNOWN_CAPABILITY
        case Nameable.REGION:
            return RefusalCode.UNKNOWN_REGION
        case Nameable.CLIENT:
            return RefusalCode.UNKNOWN_CLIENT
        case Nameable.PROJECT:
            return RefusalCode.UNKNOWN_PROJECT
        case _:
            assert_never(what)


def changed_since(what: str, made: Made, by: str, at_ms: int) -> Refused | None:
    """Why something that was changed again since is left alone; None where it is unchanged.
    ``what`` begins a sentence: ``t-42 is held``."""
    if (by, at_ms) == (made.by, made.at_ms):
        return None
    whose = f"by {by}" if by else "by the engine"
    return Refused(code=RefusalCode.CHANGED_SINCE, text=f"{what} again since then, {whose}.")
