"""What every event is, and every command."""

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


class CommandBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="do"):
    """What every command is."""
