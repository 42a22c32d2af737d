"""The answers to a start before the run is at work, and payloads that cannot be started."""

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.codes import NotStartedCode
from fleet_tui.core.tasks.evidence import Definite, LostReason, NotStarted, Started, Unknown
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw.connection import GatewayRefused, GatewayReply, GatewayResult, Lost
from fleet_tui.wire.openclaw.dialect import Dialect
from fleet_tui.wire.openclaw.frames import Created, Malformed, decode
from fleet_tui.wire.openclaw.run_evidence import refused_start
from fleet_tui.wire.port import StartAnswer
from fleet_tui.wire.words import words_of

ENVELOPE_BYTES = 65_536
"""Space in a frame for the fields around the payload."""


def unfenceable(dialect: Dialect) -> Unknown:
    """The state of a start that may still arrive, on a release without a fence."""
    release = f"OpenClaw {dialect.version}"
    words = f"the start may still arrive, and {release} cannot be kept from it"
    return Unknown(LostReason.NO_TRACE, words_of(words))


def unfit(payload: Untrusted, max_payload: int) -> NotStarted | None:
    """Why this gateway, or any, cannot take this payload; None where it can."""
    try:
        size = len(msgspec.json.encode(payload.raw))
    except UnicodeEncodeError as error:
        problem = words_of(f"not Unicode text: {error}")
        return NotStarted(reason=NotStartedCode.PAYLOAD_NOT_TEXT, detail=problem, retryable=False)
    if size + ENVELOPE_BYTES <= max_payload:
        return None
    limit = words_of(f"{size} bytes; the gateway takes {max_payload}")
    # Its own limit, which may be a lie: all that the engine accepts, a real one takes.
    return NotStarted(reason=NotStartedCode.PAYLOAD_TOO_LARGE, detail=limit)


def is_accepted(answer: StartAnswer) -> bool:
    """Whether the start will be answered a second time, when the run has ended."""
    return (
        isinstance(answer, Definite)
        and isinstance(answer.value, Started)
        and not answer.value.already
    )


def created(reply: GatewayReply) -> Created | NotStarted:
    """The attempt's session, or why there is none: the run itself has not been requested yet."""
    match reply:
        case GatewayRefused():
            return refused_start(reply)
        case Lost(reason=reason, detail=detail):
            return NotStarted(reason=reason.value, detail=detail)
        case GatewayResult(payload=payload):
            session = decode(payload, Created)
            if isinstance(session, Malformed):
                return NotStarted(reason=FailureKind.BAD_ANSWER, detail=words_of(session.problem))
            return session
