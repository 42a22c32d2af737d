"""The protocol between engine and console over the engine's Unix socket.

Frames are one JSON document per line, at most MAX_FRAME_BYTES. The console reads the ledger itself;
the socket carries commands, their replies and the doorbell ("there is more to read").
"""

from typing import Annotated, TypeVar

import msgspec

from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.modes import NORMAL, ModeNow
from fleet_tui.core.plans import Impact

Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Label = Annotated[str, msgspec.Meta(max_length=200)]

PROTOCOL = 3
"""Incremented when a frame changes meaning; a mismatch is reported, and the connection is not
used."""

MAX_FRAME_BYTES = 8 * 1024 * 1024


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The client's first frame."""

    protocol: Number
    version: Label
    by: Label
    """The operator at the console, for the audit trail."""
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
    """The engine's clock: a demo may run faster than real time."""
    mode: ModeNow = NORMAL
    """An engine that cannot write its ledger can still report it here."""


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
    """A command with the client's number for it."""

    id: Number
    command: Command
    shown: Impact | None = None
    """The impact that its author was shown; None for one that was sent without a plan. A command
    that depends on other things its author saw carries them itself."""


class Response(msgspec.Struct, frozen=True, kw_only=True, tag="response"):
    """The reply to a request."""

    id: int
    reply: Reply


FromClient = Hello | Request
FromEngine = Welcome | Unwelcome | Doorbell | Response

Frame = TypeVar("Frame", FromClient, FromEngine)

from_client: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)
from_engine: msgspec.json.Decoder[FromEngine] = msgspec.json.Decoder(FromEngine)


class BadFrame(ValueError):
    """The input is not a frame. The text says why, in our own words."""


def read_frame(decoder: msgspec.json.Decoder[Frame], line: bytes) -> Frame:
    """The frame on a line. Raises BadFrame for anything that is not a complete frame: truncated,
    not JSON, nested too deep, of another shape, out of bounds."""
    if not line.endswith(b"\n"):
        raise BadFrame("a frame that breaks off")
    try:
        return decoder.decode(line)
    except msgspec.ValidationError:
        raise BadFrame("a frame of an unknown shape") from None
    except RecursionError:
        raise BadFrame("a frame that is nested too deep") from None
    except ValueError:  # DecodeError and UnicodeDecodeError are ones
        raise BadFrame("a frame that is not JSON") from None
