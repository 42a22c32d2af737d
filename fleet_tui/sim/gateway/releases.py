"""What older OpenClaw releases lack, and how a gateway words its objections to a request.

Measured on real gateways of these releases, which name every key they object to in one message.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release of OpenClaw, as far as it differs from the newest."""

    version: str
    lacks_methods: frozenset[str] = frozenset()
    lacks_keys: frozenset[str] = frozenset()
    """Keys of requests, ``traceparent`` being one of the frame."""
    tells_boot_id: bool = True
    goes_on: bool = True
    """A turn that a kill cut off is gone on with by the next process, which also closes its row in
    the ledger. Otherwise the row says ``running`` for ever, and the turn is given up."""
    session_lags_s: float = 0.0
    """How long after its end a session may still show its run as running. An abort shows at
    once."""
    limit_looks_aborted: bool = False
    """A run that reached its limit has the stop reason of an abort, and names its phase."""


NEWEST = Release(version="2026.9.6")
AUGUST = Release(version="2026.8.2", lacks_keys=frozenset({"displayName"}))
JULY = Release(
    version="2026.7.1",
    lacks_methods=frozenset({"diagnostics.lanes"}),
    lacks_keys=frozenset(
        {"displayName", "expectedExistingSessionId", "clearQueued", "traceparent"}
    ),
    tells_boot_id=False,
    goes_on=False,
    session_lags_s=2.0,
    limit_looks_aborted=True,
)
JUNE = msgspec.structs.replace(
    JULY, version="2026.6.11", lacks_methods=JULY.lacks_methods | {"system.info"}
)
RELEASES = (NEWEST, AUGUST, JULY, JUNE)

_WORDS: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}

P = TypeVar("P", bound=msgspec.Struct)


def objections(params: object, shape: type[P], release: Release) -> list[str]:
    """What ``release`` objects to in the parameters of a request that takes ``shape``, where keys
    that ``shape`` does not have are taken and ignored."""
    if not isinstance(params, dict):
        return ["at root: must be object"]
    found = []
    for field in msgspec.structs.fields(shape):
        if field.required and field.encode_name not in params:
            found.append(f"must have required property '{field.encode_name}'")
    types = {field.encode_name: field.type for field in msgspec.structs.fields(shape)}
    for key, value in params.items():
        if key in release.lacks_keys:
            found.append(f"at root: unexpected property '{key}'")
            continue
        try:
            msgspec.convert(value, types.get(key, object))
        except msgspec.ValidationError:
            found.append(f"at /{key}: must be {_word(types[key])}")
    return found


def _word(kind: object) -> str:
    """The type of a key as a validator names it."""
    return next((word for of, word in _WORDS.items() if kind in (of, of | None)), "valid")
