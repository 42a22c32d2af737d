"""Which agents a gateway has. A missing or deleted one would refuse every task, so every deeper
probe checks for it (3 ms on OpenClaw 2026.9.6), before any task fails."""

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.wire.openclaw.connection import Connection, GatewayResult
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import Malformed, decode
from fleet_tui.wire.words import beginning, words_of

CALL_MS = 10_000

MAX_NAMED = 10
"""Agents of the gateway that are named to the operator."""

MAX_ID_CHARS = 40
"""Of each of their ids."""


class _Agent(msgspec.Struct, frozen=True):
    id: str = ""


class _Agents(msgspec.Struct, frozen=True):
    agents: list[_Agent]


def missing(payload: bytes | msgspec.Raw, agent_id: str) -> GatewayFailure | None:
    """The problem when the answer of ``agents.list`` lacks an agent; gateways fold the case of ids.
    An unreadable answer proves nothing."""
    said = decode(payload, _Agents)
    if isinstance(said, Malformed) or not said.agents:
        return None
    ids = [agent.id for agent in said.agents]
    if agent_id.lower() in {one.lower() for one in ids}:
        return None
    named = [beginning(one, MAX_ID_CHARS) for one in ids[:MAX_NAMED]]
    if len(ids) > MAX_NAMED:
        named.append("…")
    problem = words_of(f"the gateway has no agent {agent_id!r}; it has {', '.join(named)}")
    return GatewayFailure(kind=FailureKind.AGENT_MISSING, detail=problem)


async def look_for(connection: Connection, agent_id: str) -> GatewayFailure | None:
    """Why no work can be given to an agent of the gateway; None when nothing prevents it."""
    if "agents.list" not in connection.hello.features.methods:
        return None
    reply = await connection.call("agents.list", {}, timeout_ms=CALL_MS)
    return missing(reply.payload, agent_id) if isinstance(reply, GatewayResult) else None
