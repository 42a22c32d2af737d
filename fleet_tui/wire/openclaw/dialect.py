"""What one gateway's release supports, determined before sending anything that it might not.

All releases from 2026.5.28 to 2026.9.6 speak protocol 4, and each refuses a request with a key that
it does not know. ``features.methods`` of the hello lists the methods. The keys are probed: each
question is a request that no release can act on (a value of the wrong type, a required key left
out), and a gateway that validates one names every key it objects to, a known key as ``at
/displayName: must be string``, an unknown one as ``unexpected property 'displayName'``. Measured on
all of README's table; four questions cost 4-10 ms.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import ErrorShape, GatewayHello
from fleet_tui.wire.openclaw.handshake import refusal
from fleet_tui.wire.openclaw.host_vitals import LANES, SYSTEM
from fleet_tui.wire.words import words_of

NEEDED = frozenset(
    {
        "agent",
        "agent.wait",
        "chat.history",
        "logs.tail",
        "sessions.abort",
        "sessions.create",
        "sessions.delete",
        "tasks.list",
    }
)
"""Methods without which no task can be started, watched, stopped and fenced."""

INVALID = "INVALID_REQUEST"
"""Code of a request that does not match the release's schema. No part of it was carried out."""

WRONG = 0
"""A value invalid for every probed key: all are texts or booleans."""

TRACEPARENT = f"00-{'0' * 31}1-{'0' * 15}1-00"


class Question(NamedTuple):
    """A request that cannot be carried out, and the key that it tests."""

    method: str
    params: dict[str, object]
    key: str


DISPLAY_NAME = Question("sessions.create", {"key": WRONG, "displayName": WRONG}, "displayName")
EXPECTED_SESSION = Question(
    "agent", {"expectedExistingSessionId": WRONG, "sessionKey": WRONG}, "expectedExistingSessionId"
)
CLEAR_QUEUED = Question("sessions.abort", {"runId": WRONG, "clearQueued": WRONG}, "clearQueued")
TRACED = Question("agent.wait", {"runId": WRONG}, "traceparent")
"""Sent with a trace context on its frame, which is validated before the parameters are."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What a release supports beyond the features of every release."""

    version: str
    """From the gateway's hello; empty when it has none."""
    lanes: bool = True
    """``diagnostics.lanes``: how much of the gateway's lane is in use, including other work."""
    system: bool = True
    """``system.info``: memory, disk and load of its machine."""
    display_name: bool = True
    """A name for a session that need not be unique (from 2026.9.1 on)."""
    expected_session: bool = True
    """``agent`` can be bound to one session, which makes the session's deletion a fence."""
    clear_queued: bool = True
    """``sessions.abort`` also removes entries that wait in the session's queue."""
    traced: bool = True
    """Requests may carry a trace context, which the gateway puts on its log lines."""
    boot_id: bool = True
    """The hello names the start of the gateway's process."""

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Missing features that operators should know about."""
        known = {
            Limit.NO_FENCE: self.expected_session,
            Limit.NO_LANES: self.lanes,
            Limit.NO_MACHINE: self.system,
            Limit.NO_LOG_TRACE: self.traced,
            Limit.NO_BOOT_ID: self.boot_id,
        }
        return tuple(limit for limit in Limit if not known[limit])


Ask = Callable[[Question], Awaitable[ErrorShape | GatewayFailure]]
"""Sends a question; returns how it was refused, or why that is unknown."""


async def learn(hello: GatewayHello, ask: Ask) -> Dialect | GatewayFailure:
    """The dialect of the gateway that sent ``hello``; ``ask`` sends one question."""
    methods = frozenset(hello.features.methods)
    missing = sorted(NEEDED - methods)
    if missing:
        return _unsupported(hello, f"has no {', '.join(missing)}")
    knows: dict[str, bool] = {}
    for question in (DISPLAY_NAME, EXPECTED_SESSION, CLEAR_QUEUED, TRACED):
        objection = await ask(question)
        if isinstance(objection, GatewayFailure):
            return objection
        if objection.code != INVALID:
            return refusal(objection)  # it starts or drains; the question is repeated later
        known = is_known(question, objection.message)
        if known is None:
            return _unsupported(hello, f"answered {question.method} with: {objection.message}")
        knows[question.key] = known
    return Dialect(
        version=hello.server.version,
        lanes=LANES in methods,
        system=SYSTEM in methods,
        display_name=knows[DISPLAY_NAME.key],
        expected_session=knows[EXPECTED_SESSION.key],
        clear_queued=knows[CLEAR_QUEUED.key],
        traced=knows[TRACED.key],
        boot_id=bool(hello.server.boot_id),
    )


def is_known(question: Question, objection: str) -> bool | None:
    """Whether a gateway knows the tested key; None when its answer does not show it.

    The trace context is the frame's own: where it is known, the parameters are objected to.
    """
    if f"unexpected property '{question.key}'" in objection:
        return False
    witness = "runId" if question is TRACED else question.key
    return True if f"at /{witness}:" in objection else None


def lacks_method(error: ErrorShape) -> bool:
    """Whether a request was refused because the release has no such method, and not just
    temporarily."""
    return error.code == INVALID and error.message.startswith("unknown method")


def _unsupported(hello: GatewayHello, problem: str) -> GatewayFailure:
    version = hello.server.version or "of an unknown release"
    return GatewayFailure(
        kind=FailureKind.RELEASE_UNSUPPORTED, detail=words_of(f"OpenClaw {version} {problem}")
    )
