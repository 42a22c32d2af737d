"""What every event is, and every command."""

from enum import IntEnum
from typing import ClassVar

import msgspec


class EventBase(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="kind"):
    """What every event is: a frozen value with a stable kind.

    Values made of values cannot form cycles, so the garbage collector need not track them
    (``gc=False``, as with the parts that are stored in numbers): it would traverse all of them
    again and again while a ledger is read.
    """


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a change, and when. A command that carries it applies only where that change is
    still in force: anything changed by others since is left alone."""

    by: str
    at_ms: int


class Tier(IntEnum):
    """How much is asked before something is done."""

    NOTHING = 0
    LINE = 1
    """One line: it can be taken back."""
    PLAN = 2
    """The plan: something is lost by it, or cannot be taken back."""
    NAME = 3
    """The plan, and the fleet's name to type."""


class CommandBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="do"):
    """What every command is."""

    tier: ClassVar[Tier]
    """How much is asked before it, in a fleet that is not protected."""
