"""The sessions of attempts on a gateway: their names, and which of them a gateway holds.

A gateway keeps sessions for ever and can list them by a part of their names, so leftovers can be
found by the naming scheme. All releases of README's table support this.
"""

import re

import msgspec

from fleet_tui.core.ids import RunId, TaskId, split_run_id
from fleet_tui.core.tasks.evidence import RunOrder
from fleet_tui.wire.openclaw.connection import Connection, GatewayResult
from fleet_tui.wire.openclaw.frames import Malformed, decode
from fleet_tui.wire.port import KeptRuns

LIST = "sessions.list"
LIST_MS = 30_000
"""Deadline of one page: a gateway reads all of its sessions for each."""
LIST_LIMIT = 200
"""Sessions of a page; each takes some 1.5 KB."""


def session_key(agent_id: str, order: RunOrder) -> str:
    """The session of one attempt."""
    return _key(agent_id, TaskId(order.task_id), order.attempt)


def key_of(agent_id: str, run: RunId) -> str:
    """The session of a run. Raises ValueError for an invalid run id."""
    return _key(agent_id, *split_run_id(run))


def _key(agent_id: str, task: TaskId, attempt: int) -> str:
    """Lower case, because gateways fold keys but filter exactly."""
    return f"{_beginning(agent_id)}{task}:{attempt}".lower()


def _beginning(agent_id: str) -> str:
    return f"agent:{agent_id}:fleet:".lower()


_ATTEMPT = re.compile(r"([0-9a-z]{1,64}):([1-9][0-9]{0,8})")


def run_of(agent_id: str, key: str) -> RunId | None:
    """The run whose session has this key; None for any other. A key does not identify the ledger.
    Task ids are upper case."""
    beginning = _beginning(agent_id)
    named = _ATTEMPT.fullmatch(key, len(beginning)) if key.startswith(beginning) else None
    return None if named is None else RunId(f"{named[1].upper()}.{named[2]}")


class _Session(msgspec.Struct, frozen=True, rename="camel"):
    key: str = ""
    has_active_run: bool = False


class _Sessions(msgspec.Struct, frozen=True, rename="camel"):
    sessions: list[_Session]
    next_offset: int | None = None


async def kept(connection: Connection, agent_id: str, skip: int) -> KeptRuns | None:
    """A page of the sessions of attempts that a gateway holds, the newest first, without running
    ones; None where the answer is unusable."""
    if LIST not in connection.hello.features.methods:
        return KeptRuns(())
    asked = {
        "agentId": agent_id,
        "search": _beginning(agent_id),
        "limit": LIST_LIMIT,
        "offset": skip,
    }
    reply = await connection.call(LIST, asked, timeout_ms=LIST_MS)
    told = decode(reply.payload, _Sessions) if isinstance(reply, GatewayResult) else None
    if told is None or isinstance(told, Malformed):
        return None
    runs = (run_of(agent_id, one.key) for one in told.sessions if not one.has_active_run)
    following = told.next_offset
    goes_on = following is not None and following > skip
    return KeptRuns([run for run in runs if run is not None], following if goes_on else None)
