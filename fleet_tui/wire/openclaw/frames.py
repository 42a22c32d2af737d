"""The gateway's messages (protocol 4) as values, and how untrusted bytes become them.

Only fields that are used are declared; everything else a gateway sends is skipped unread. Parts
that are useful but not needed (``result``, ``details``) stay raw until they are used, so that an
invalid one cannot spoil the rest of the frame. The shapes are those of OpenClaw 2026.9.6, whose npm
package ``@openclaw/gateway-protocol`` holds the schema; :mod:`fleet_tui.wire.openclaw.dialect` has
what older releases lack.
"""

from enum import StrEnum
from string import ascii_letters, digits
from typing import TypeVar

import msgspec
from msgspec.structs import replace

PROTOCOL = 4

MAX_FRAME_BYTES = 26_214_400
"""Longest message accepted from a gateway: equal to its own limit for messages that it accepts."""

_NULL = msgspec.Raw(b"null")


class Malformed(msgspec.Struct, frozen=True):
    """Bytes that do not have the requested shape. ``problem`` is the decoder's own message."""

    problem: str


class ErrorShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a request was refused."""

    code: str = ""
    message: str = ""
    details: msgspec.Raw = _NULL


class GatewayFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Any frame from a gateway: ``event`` has a name, ``res`` the id of its request."""

    type: str
    id: str = ""
    ok: bool = False
    event: str = ""
    payload: msgspec.Raw = _NULL
    error: ErrorShape | None = None


class ErrorDetails(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Details of an error beyond its code."""

    code: str = ""
    reason: str = ""
    expected_protocol: object = None
    """Sent only for a protocol mismatch, up to 2026.5.7 without a code."""


class Lifecycle(StrEnum):
    """That a gateway's process does not serve now, and comes or goes by itself."""

    STARTING = "starting"
    DRAINING = "draining"


def lifecycle(code: str) -> Lifecycle | None:
    """What a machine code of a gateway says about its process: ``startup-sidecars`` that it starts;
    ``gateway-draining``, ``gateway-suspending`` and ``gateway-restarting`` that it drains. Releases
    add codes to both families; the first words stay."""
    if code.startswith("startup"):
        return Lifecycle.STARTING
    return Lifecycle.DRAINING if code.startswith("gateway-") else None


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """First event of a connection. ``ts`` is the gateway's clock in ms."""

    nonce: str = ""
    ts: float | None = None


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The server. ``boot_id`` is new at every start of its process and every restart within it."""

    version: str = ""
    boot_id: str = ""


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """The methods of the gateway's release."""

    methods: list[str] = []


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What the connection may do."""

    scopes: list[str] = []


class Policy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Limits the gateway announces."""

    max_payload: int = MAX_FRAME_BYTES
    tick_interval_ms: float = 30_000


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The gateway's state when it sent the hello."""

    uptime_ms: float | None = None
    """Age of its process."""


class GatewayHello(msgspec.Struct, frozen=True, kw_only=True):
    """``hello-ok``: the connection is accepted."""

    protocol: int = 0
    server: ServerInfo = ServerInfo()
    features: Features = Features()
    snapshot: Snapshot = Snapshot()
    auth: Granted = Granted()
    policy: Policy = Policy()


class Created(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Answer of ``sessions.create``."""

    session_id: str


class RunAccepted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """First answer of ``agent``. ``status`` is ``accepted``, ``in_flight`` for a known key, or the
    end of that key's run."""

    run_id: str = ""
    status: str = ""


class Aborted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Answer of ``sessions.abort``."""

    status: str = ""


class Shutdown(msgspec.Struct, frozen=True, kw_only=True):
    """Event ``shutdown``: the gateway is about to close the connection."""

    reason: str = ""


T = TypeVar("T")

MAX_NAME_CHARS = 128
_OF_A_NAME = frozenset(f"{ascii_letters}{digits}._:/@+-")


def decode(data: bytes | msgspec.Raw, shape: type[T]) -> T | Malformed:
    """``data`` as ``shape``; bad UTF-8, NaN, and excessive numbers or nesting are Malformed,
    too."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError) as error:
        return Malformed(str(error)[:200])


def read_hello(data: bytes | msgspec.Raw) -> GatewayHello | Malformed:
    """A hello whose version and boot id, which the ledger keeps, are names."""
    hello = decode(data, GatewayHello)
    if isinstance(hello, Malformed):
        return hello
    said = hello.server
    server = ServerInfo(version=name_of(said.version), boot_id=name_of(said.boot_id))
    return replace(hello, server=server)


def name_of(text: str) -> str:
    """A gateway's name for something, in characters that are safe to store and to show."""
    return "".join(c for c in text[:MAX_NAME_CHARS] if c in _OF_A_NAME)
