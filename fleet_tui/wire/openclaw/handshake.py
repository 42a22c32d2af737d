"""The handshake with a gateway: what we request, and what a refusal means.

The client must call itself ``gateway-client`` in mode ``backend``: an invented name is refused, and
other modes keep no scopes. The scopes are the least that dispatch (write) and the fence
(``sessions.delete`` needs admin) work with.
"""

from http import HTTPStatus

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import (
    PROTOCOL,
    ErrorDetails,
    ErrorShape,
    GatewayHello,
    Lifecycle,
    Malformed,
    decode,
    lifecycle,
)
from fleet_tui.wire.openclaw.stream import NotWebSocket
from fleet_tui.wire.words import words_of

SCOPES = ("operator.read", "operator.write", "operator.admin")

POLICY_VIOLATION = 1008
"""WebSocket close code of a refused token."""


_CLOSED_DOORS = {
    "Gateway websocket admission closed": FailureKind.GATEWAY_DRAINING,
    "Gateway websocket handlers unavailable": FailureKind.GATEWAY_STARTING,
}
"""Bodies of OpenClaw 2026.9.6's HTTP 503 for a WebSocket request while it ends the last runs before
it stops, and in the first moment of listening."""


def connect_params(token: str) -> dict[str, object]:
    """Parameters of the first request on every connection."""
    return {
        "minProtocol": PROTOCOL,
        "maxProtocol": PROTOCOL,
        "client": {
            "id": "gateway-client",
            "version": "fleet-tui",
            "platform": "python",
            "mode": "backend",
        },
        "role": "operator",
        "scopes": list(SCOPES),
        "caps": [],
        "commands": [],
        "permissions": {},
        "auth": {"token": token},
    }


def refusal(error: ErrorShape) -> GatewayFailure:
    """Why a gateway refused to connect, as a kind an operator can act on."""
    details = decode(error.details, ErrorDetails)
    if isinstance(details, Malformed):
        details = ErrorDetails()
    said = f"{error.code} {details.code or details.reason}: {error.message}"
    if isinstance(details.expected_protocol, int):
        said += f" (it speaks protocol {details.expected_protocol}, this program {PROTOCOL})"
    return GatewayFailure(kind=_kind(error.code, details), detail=words_of(said))


def upgrade_refusal(refused: NotWebSocket) -> GatewayFailure:
    """Why the WebSocket was refused: the gateway stops or starts, or it is not a gateway at all."""
    kind = FailureKind.BAD_ANSWER
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        kind = _CLOSED_DOORS.get(refused.said.strip(), kind)
    return GatewayFailure(kind=kind, detail=words_of(f"no WebSocket: {refused}"))


def _kind(code: str, details: ErrorDetails) -> FailureKind:
    if details.code.startswith("AUTH_") or details.code == "DEVICE_IDENTITY_REQUIRED":
        return FailureKind.GATEWAY_AUTH
    if details.code == "PROTOCOL_MISMATCH" or details.expected_protocol is not None:
        return FailureKind.PROTOCOL_MISMATCH
    if details.code == "MISSING_SCOPE" or code == "FORBIDDEN":
        return FailureKind.GATEWAY_SCOPE
    state = lifecycle(details.reason)
    if state is Lifecycle.STARTING:
        return FailureKind.GATEWAY_STARTING
    if state is Lifecycle.DRAINING or (code == "UNAVAILABLE" and not details.code):
        return FailureKind.GATEWAY_DRAINING
    if code == "NOT_PAIRED":
        return FailureKind.GATEWAY_AUTH
    return FailureKind.BAD_ANSWER


def check_hello(hello: GatewayHello) -> GatewayFailure | None:
    """What is wrong with an accepted connection, or None."""
    if hello.protocol != PROTOCOL:
        return GatewayFailure(
            kind=FailureKind.PROTOCOL_MISMATCH,
            detail=words_of(f"protocol {hello.protocol}, this program speaks {PROTOCOL}"),
        )
    missing = [scope for scope in SCOPES if scope not in hello.auth.scopes]
    if missing:
        return GatewayFailure(
            kind=FailureKind.GATEWAY_SCOPE,
            detail=words_of(f"the token does not grant {', '.join(missing)}"),
        )
    return None
