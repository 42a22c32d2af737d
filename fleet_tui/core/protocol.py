"""What engine and console say to each other over the engine's Unix socket.

Frames are one JSON document per line, at most MAX_FRAME_BYTES. The console reads the ledger itself;
the socket carries commands, their replies and the doorbell ("there is more to read").
"""

import msgspec

from fleet_tui.core.commands import Command, Reply
from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.modes import NORMAL, ModeNow

PROTOCOL = 2
"""Raised when a frame changes meaning; the other side says so and stays away."""

MAX_FRAME_BYTES = 8 * 1024 * 1024


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The client's first frame."""

    protocol: int
    version: str
    by: str
    """Who sits at the console, for the audit trail."""
    read_only: bool = False


class Welcome(msgspec.Struct, frozen=True, kw_only=True, tag="welcome"):
    """The engine's answer to a hello that it understands."""

    protocol: int
    version: str
    fleet: str
    pid: int
    epoch: Epoch
    seq: Seq
    now_ms: int
    """The engine's clock: a demo may run faster than the wall."""
    mode: ModeNow = NORMAL
    """An engine that cannot write its ledger can still say so here."""


class Unwelcome(msgspec.Struct, frozen=True, kw_only=True, tag="unwelcome"):
    """The engine's answer to a hello that it does not understand."""

    protocol: int
    version: str
    reason: str


class Doorbell(msgspec.Struct, frozen=True, kw_only=True, tag="doorbell"):
    """There is more to read, up to these marks."""

    seq: Seq
    sample: int
    """Newest row of the sample store."""
    line: int
    """Newest row of the log store."""
    now_ms: int
    mode: ModeNow = NORMAL


class Request(msgspec.Struct, frozen=True, kw_only=True, tag="request"):
    """A command with the client's number for it. A command that rests on what its author saw says
    itself what that was."""

    id: int
    command: Command


class Response(msgspec.Struct, frozen=True, kw_only=True, tag="response"):
    """The reply to a request."""

    id: int
    reply: Reply


FromClient = Hello | Request
FromEngine = Welcome | Unwelcome | Doorbell | Response
