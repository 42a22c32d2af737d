"""Events as JSON and back.

A stored event is its kind, the version of that kind's body, and the body. Bodies only grow, so
versions rise rarely; a pure upcaster then converts an old body to the next version. An event that
this version does not understand is kept byte for byte as an UnknownEvent.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

import msgspec

from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.ledger.events import Event, KnownEvent, UnknownEvent, kind_of, task_of

FIRST_VERSION = 1

Body = dict[str, object]
Upcaster = Callable[[Body], Body]
Upcasters = Mapping[tuple[str, int], Upcaster]
"""(kind, version) to the upcaster of such a body to version + 1."""

UPCASTERS: Upcasters = {}
"""Format 1 is the first; there is nothing to convert yet."""


def _kind_of_type(event_type: type[EventBase]) -> str:
    kind = event_type.__struct_config__.tag
    assert isinstance(kind, str), event_type
    return kind


KNOWN_KINDS: frozenset[str] = frozenset(_kind_of_type(t) for t in get_args(KnownEvent))

_decoder: msgspec.json.Decoder[KnownEvent] = msgspec.json.Decoder(KnownEvent)
_encoder = msgspec.json.Encoder()


class Encoded(NamedTuple):
    """An event ready for a row."""

    kind: str
    v: int
    body: bytes
    task: TaskId | None
    """The task it is about, for the index; not part of the event."""


class Unstorable(ValueError):
    """The event would not survive a round trip; storing it would lose something. A bug upstream."""


def version_of(kind: str, upcasters: Upcasters = UPCASTERS) -> int:
    """The version that this program writes for a kind: one more than the newest it can convert."""
    return max((v + 1 for k, v in upcasters if k == kind), default=FIRST_VERSION)


def encode(event: Event) -> Encoded:
    """The stored form. Raises Unstorable for an event that could not be read back (NaN, lone
    surrogates)."""
    if isinstance(event, UnknownEvent):
        if b"\n" in event.body:
            raise Unstorable(f"the body of {event.kind!r} is not one line of JSON")
        try:
            msgspec.json.decode(event.body)
        except ValueError as error:
            raise Unstorable(f"the body of {event.kind!r} is not JSON: {error}") from error
        return Encoded(event.kind, FIRST_VERSION, event.body, None)
    kind = kind_of(event)
    try:
        body = _encoder.encode(event)
        _decoder.decode(body)
    except ValueError as error:
        raise Unstorable(f"{kind} cannot be stored: {error}") from error
    return Encoded(kind, version_of(kind), body, task_of(event))


def decode(kind: str, v: int, body: bytes, upcasters: Upcasters = UPCASTERS) -> Event:
    """The event. Raises ValueError when a known kind and version has an unreadable body, and for a
    version that never existed: only damage produces one."""
    if type(v) is not int or v < FIRST_VERSION:  # damage may change its type, too
        raise ValueError(f"there is no version {v!r} of {kind!r}")
    if kind not in KNOWN_KINDS:
        return UnknownEvent(kind=kind, body=body)
    newest = version_of(kind, upcasters) if upcasters else FIRST_VERSION
    if v == newest:  # nearly always
        return _decoder.decode(body)
    if v > newest:
        return UnknownEvent(kind=kind, body=body)
    lifted: Body = msgspec.json.decode(body, type=dict[str, object])
    for version in range(v, newest):
        lifted = upcasters[kind, version](lifted)
    event: Event = msgspec.convert(lifted, KnownEvent)
    return event


def decode_leniently(kind: str, v: int, body: bytes) -> Event:
    """Like :func:`decode`, but an unreadable body is kept as unknown: for display only."""
    try:
        return decode(kind, v, body)
    except (ValueError, RecursionError):
        return UnknownEvent(kind=kind, body=body)
