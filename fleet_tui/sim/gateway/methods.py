"""The requests a simulated gateway understands: parameters, the scope each needs, and its answer.

Parameters are decoded into types; what does not fit is refused the way the real one refuses it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from fleet_tui.sim.demo.behaviour import Tokens
from fleet_tui.sim.demo.loglines import Trace
from fleet_tui.sim.gateway import answers
from fleet_tui.sim.gateway.answers import ErrorAnswer, final_answer, waited_answer
from fleet_tui.sim.gateway.disk import Json
from fleet_tui.sim.gateway.process import Process, suspended
from fleet_tui.sim.gateway.releases import objections
from fleet_tui.sim.gateway.run_table import Run, RunRequest

READ, WRITE, ADMIN = "operator.read", "operator.write", "operator.admin"

ACK_SECONDS = (0.07, 0.3)
"""How long a gateway takes to accept a run."""

MAX_ROWS = 100


class Call(Protocol):
    """One request on its connection."""

    process: Process
    traceparent: str | None

    def answer_again(self, answer: Json | ErrorAnswer) -> None:
        """Send another answer to the same request, if the connection is still there."""
        ...


Answer = Json | ErrorAnswer


class _Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nothing expected; what is not known is ignored."""


class _AgentParams(_Params, frozen=True, kw_only=True, rename="camel"):
    message: str
    idempotency_key: str
    agent_id: str | None = None
    session_key: str | None = None
    expected_existing_session_id: str | None = None
    timeout: float | None = None


class _WaitParams(_Params, frozen=True, kw_only=True, rename="camel"):
    run_id: str
    timeout_ms: float = 30_000


class _AbortParams(_Params, frozen=True, kw_only=True, rename="camel"):
    key: str | None = None
    run_id: str | None = None
    clear_queued: bool = False


class _KeyParams(_Params, frozen=True, kw_only=True, rename="camel"):
    key: str


class _CreateParams(_KeyParams, frozen=True, kw_only=True, rename="camel"):
    agent_id: str | None = None
    display_name: str | None = None


class _SessionsParams(_Params, frozen=True, kw_only=True, rename="camel"):
    limit: int = MAX_ROWS
    offset: int = 0
    agent_id: str | None = None
    search: str = ""
    active_only: bool = False


class _HistoryParams(_Params, frozen=True, kw_only=True, rename="camel"):
    session_key: str
    limit: int = 200


class _TasksParams(_Params, frozen=True, kw_only=True, rename="camel"):
    session_key: str | None = None
    status: str | list[str] | None = None
    limit: int = MAX_ROWS
    cursor: str | None = None


class _TailParams(_Params, frozen=True, kw_only=True, rename="camel"):
    cursor: int | None = None
    limit: int = 5_000
    max_bytes: int = 250_000


class _PrepareParams(_Params, frozen=True, kw_only=True, rename="camel"):
    request_id: str
    drain: bool = False


class _SuspensionParams(_Params, frozen=True, kw_only=True, rename="camel"):
    suspension_id: str


class _CostParams(_Params, frozen=True, kw_only=True, rename="camel"):
    days: int = 30


async def _agent(call: Call, params: _AgentParams) -> Answer:
    process = call.process
    refusal = process.refuses_work()
    if refusal is not None:
        return refusal
    agent_id = params.agent_id or process.spec.agent_id
    if agent_id != process.spec.agent_id:
        return ErrorAnswer(code="INVALID_REQUEST", message=f'unknown agent id "{agent_id}"')
    known = process.runs.find(params.idempotency_key)
    if known is not None and known.end is not None:
        return final_answer(known)
    if known is not None:
        known.then(lambda: call.answer_again(final_answer(known)))
        flight: Json = {"runId": known.id, "status": "in_flight"}
        return flight | {"sessionKey": known.request.session_key, "agentId": agent_id}
    key = params.session_key or f"agent:{agent_id}:main"
    expected = params.expected_existing_session_id
    existing = process.disk.sessions.get(key)
    if expected is not None and (existing is None or existing.session_id != expected):
        return ErrorAnswer(
            code="INVALID_REQUEST",
            message=f"session {key} is not the expected one",
            details={"code": "SESSION_MISMATCH", "expectedSessionId": expected},
        )
    trace = Trace.parse(call.traceparent or "", f"{process.rng.getrandbits(64):016x}")
    run = process.runs.accept(
        RunRequest(
            run_id=params.idempotency_key,
            session_key=key,
            message=params.message,
            title=params.message.partition("\n")[0],
            trace=trace,
            timeout_s=params.timeout,
        )
    )
    accepted_at_ms = process.pace.now_ms()
    await process.pace.sleep(process.rng.uniform(*ACK_SECONDS) * process.slowness())
    await process.thawed.wait()
    asyncio.get_running_loop().call_soon(run.then, lambda: call.answer_again(final_answer(run)))
    accepted: Json = {"runId": run.id, "sessionKey": key, "agentId": agent_id}
    return accepted | {"status": "accepted", "acceptedAt": accepted_at_ms}


async def _agent_wait(call: Call, params: _WaitParams) -> Answer:
    process = call.process
    run = process.runs.find(params.run_id)
    try:
        async with asyncio.timeout(process.pace.real_s(params.timeout_ms / 1_000)):
            if run is None:
                await asyncio.Event().wait()
            else:
                await run.over.wait()
    except TimeoutError:
        pass
    return waited_answer(params.run_id, process.runs.find(params.run_id))


async def _sessions_abort(call: Call, params: _AbortParams) -> Answer:
    runs = call.process.runs
    found: list[Run] = []
    if params.run_id is not None:
        run = runs.find(params.run_id)
        found = [run] if run is not None and run.end is None else []
    elif params.key is not None:
        found = runs.active_in(params.key)
    else:
        return ErrorAnswer(code="INVALID_REQUEST", message="sessions.abort needs key or runId")
    for run in found:
        run.stop()
    if not found:
        return {"ok": True, "abortedRunId": None, "status": "no-active-run"}
    for run in found:
        await run.over.wait()
    return {"ok": True, "abortedRunId": found[0].id, "status": "aborted"}


async def _sessions_create(call: Call, params: _CreateParams) -> Answer:
    agent_id = params.agent_id
    if agent_id is not None and agent_id != call.process.spec.agent_id:
        return ErrorAnswer(code="INVALID_REQUEST", message=f'unknown agent id "{agent_id}"')
    session = call.process.runs.open_session(params.key)
    created: Json = {"ok": True, "key": session.key, "sessionId": session.session_id}
    return created | {
        "entry": {"sessionId": session.session_id, "updatedAt": session.updated_at_ms}
    }


async def _sessions_delete(call: Call, params: _KeyParams) -> Answer:
    """Remove a session: an unfinished turn of it ends and will never be continued."""
    process = call.process
    session = process.disk.sessions.pop(params.key, None)
    working = process.runs.active_in(params.key)
    for run in working:
        run.stop()
    for run in working:
        await run.over.wait()
    archived = [] if session is None else [f"{session.session_id}.deleted"]
    return {"ok": True, "key": params.key, "deleted": session is not None, "archived": archived}


async def _sessions_describe(call: Call, params: _KeyParams) -> Answer:
    session = call.process.disk.sessions.get(params.key)
    return {"session": None if session is None else session.row(_active(call, params.key))}


async def _sessions_list(call: Call, params: _SessionsParams) -> Answer:
    process = call.process
    newest = sorted(
        process.disk.sessions.values(), key=lambda session: session.updated_at_ms, reverse=True
    )
    rows = [session.row(_active(call, session.key)) for session in newest]
    if params.active_only:
        rows = [row for row in rows if row["hasActiveRun"]]
    if params.agent_id is not None:
        rows = [row for row in rows if row["agentId"] == params.agent_id]
    rows = [row for row in rows if _is_found(row, params.search)]
    shown = rows[params.offset :][: params.limit]
    end = params.offset + len(shown)
    more = end < len(rows)
    model = process.spec.model
    return {
        "ts": process.pace.now_ms(),
        "path": "/srv/openclaw/openclaw-agent.sqlite",
        "count": len(shown),
        "totalCount": len(rows),
        "limitApplied": params.limit,
        "nextOffset": end if more else None,
        "hasMore": more,
        "owners": [],
        "defaults": {"modelProvider": model.provider, "model": model.name},
        "sessions": shown,
    }


def _is_found(row: Json, search: str) -> bool:
    """Whether a search of sessions finds one, as by a part of its key."""
    words = ("key", "displayName", "sessionId", "modelProvider", "model")
    return any(search.strip().lower() in str(row[word]).lower() for word in words)


async def _chat_history(call: Call, params: _HistoryParams) -> Answer:
    session = call.process.disk.sessions.get(params.session_key)
    history: Json = {"sessionKey": params.session_key, "messages": []}
    history["pendingInputs"] = {"items": [], "total": 0}
    if session is None:
        info: Json = {"key": params.session_key, "model": call.process.spec.model.name}
        info |= {"hasActiveRun": False, "activeRunIds": []}
        return history | {"hasMore": False, "totalMessages": 0, "sessionInfo": info}
    entries = [
        session.entry(message, number) for number, message in enumerate(session.messages, start=1)
    ]
    return history | {
        "sessionId": session.session_id,
        "messages": entries[-params.limit :],
        "hasMore": len(entries) > params.limit,
        "totalMessages": len(entries),
        "sessionInfo": session.row(_active(call, params.session_key)),
    }


def _active(call: Call, key: str) -> list[str]:
    return [run.id for run in call.process.runs.active_in(key)]


async def _tasks_list(call: Call, params: _TasksParams) -> Answer:
    wanted = [params.status] if isinstance(params.status, str) else params.status
    rows = [
        row.row()
        for row in reversed(call.process.disk.tasks.values())
        if (params.session_key in {None, row.session_key}) and (not wanted or row.status in wanted)
    ]
    start = int(params.cursor) if params.cursor and params.cursor.isdecimal() else 0
    end = start + params.limit
    page: Json = {"tasks": rows[start:end]}
    return page | {"nextCursor": str(end)} if end < len(rows) else page


async def _status(call: Call, _params: _Params) -> Answer:
    return call.process.status()


async def _health(call: Call, _params: _Params) -> Answer:
    return call.process.health()


async def _lanes(call: Call, _params: _Params) -> Answer:
    return call.process.lanes()


async def _system_info(call: Call, _params: _Params) -> Answer:
    return call.process.system_info()


async def _logs_tail(call: Call, params: _TailParams) -> Answer:
    for name, value, most in (
        ("limit", params.limit, 5_000),
        ("maxBytes", params.max_bytes, 10**6),
    ):
        if not 1 <= value <= most:
            bound = ">= 1" if value < 1 else f"<= {most}"
            return _invalid("logs.tail", f"at /{name}: must be {bound}")
    tail = call.process.disk.log.tail(params.cursor, limit=params.limit, max_bytes=params.max_bytes)
    said: Json = {
        "file": "/srv/openclaw/gateway.log",
        "cursor": tail.cursor,
        "size": tail.size,
        "lines": tail.lines,
        "truncated": tail.truncated,
        "reset": tail.reset,
    }
    return said if tail.skipped_bytes is None else said | {"skippedBytes": tail.skipped_bytes}


async def _config_get(call: Call, _params: _Params) -> Answer:
    spec = call.process.spec
    return answers.config(port=spec.port, model=spec.model, max_concurrent=spec.max_concurrent)


async def _suspend_prepare(call: Call, params: _PrepareParams) -> Answer:
    return call.process.suspend(params.request_id, drain=params.drain)


async def _suspend_status(call: Call, params: _SuspensionParams) -> Answer:
    return call.process.suspension(params.suspension_id) or {"status": "running"}


async def _suspend_resume(call: Call, params: _SuspensionParams) -> Answer:
    resumed = call.process.resume_work(params.suspension_id)
    return {"ok": True, "status": "running", "resumed": resumed}


async def _restart_preflight(call: Call, _params: _Params) -> Answer:
    counts = call.process.restart_counts()
    safe = counts["totalActive"] == 0
    summary = "safe to restart now" if safe else "work is running"
    return {"safe": safe, "counts": counts, "blockers": [], "summary": summary}


async def _restart_request(call: Call, params: _Params) -> Answer:
    preflight = await _restart_preflight(call, params)
    begun = call.process.restart_when_idle()
    return {
        "ok": True,
        "status": "scheduled",
        "preflight": preflight,
        "restart": {
            "ok": True,
            "pid": call.process.pid,
            "signal": "SIGUSR2",
            "reason": "gateway.restart.safe",
            "mode": "emit",
            "cooldownMsApplied": 0,
            "delayMs": 0,
            "coalesced": not begun,
            "emitHooksQueued": False,
        },
    }


async def _usage_cost(call: Call, params: _CostParams) -> Answer:
    process = call.process
    fresh = process.usage_is_fresh()
    tokens, cost_usd = process.disk.tokens() if fresh else (Tokens(), 0.0)
    return {
        "updatedAt": process.pace.now_ms(),
        "days": params.days,
        "daily": [],
        "totals": {
            "input": tokens.input,
            "output": tokens.output,
            "cacheRead": tokens.cache_read,
            "cacheWrite": 0,
            "totalTokens": tokens.total,
            "totalCost": cost_usd,
            "missingCostEntries": 0,
        },
        "cacheStatus": {
            "status": "fresh" if fresh else "refreshing",
            "cachedFiles": len(process.disk.sessions) if fresh else 0,
            "pendingFiles": 0 if fresh else len(process.disk.sessions),
            "staleFiles": 0,
        },
    }


async def _agents_list(call: Call, _params: _Params) -> Answer:
    spec = call.process.spec
    agent: Json = {
        "id": spec.agent_id,
        "workspace": "/srv/openclaw/workspace",
        "workspaceGit": True,
        "model": {"primary": f"{spec.model.provider}/{spec.model.name}"},
        "defaultPermissionMode": "full",
    }
    return {
        "defaultId": spec.agent_id,
        "ownership": "sole",
        "selectionRequired": False,
        "mainKey": "main",
        "scope": "per-sender",
        "agents": [agent],
    }


async def _models_list(call: Call, _params: _Params) -> Answer:
    model = call.process.spec.model
    row: Json = {
        "id": model.name,
        "name": model.name.title(),
        "provider": model.provider,
        "contextWindow": model.context_tokens,
        "reasoning": False,
        "tags": ["default"],
        "available": True,
    }
    return {"models": [row]}


class Method(msgspec.Struct, frozen=True):
    """One method: what it needs and what does it."""

    scope: str
    params: type[_Params]
    run: Callable[[Call, Any], Awaitable[Answer]]
    """Called with ``params`` decoded; the table below pairs each with its own type."""


METHODS: dict[str, Method] = {
    "agent": Method(WRITE, _AgentParams, _agent),
    "agent.wait": Method(READ, _WaitParams, _agent_wait),
    "agents.list": Method(READ, _Params, _agents_list),
    "chat.history": Method(READ, _HistoryParams, _chat_history),
    "config.get": Method(ADMIN, _Params, _config_get),
    "diagnostics.lanes": Method(READ, _Params, _lanes),
    "gateway.restart.preflight": Method(READ, _Params, _restart_preflight),
    "gateway.restart.request": Method(ADMIN, _Params, _restart_request),
    "gateway.suspend.prepare": Method(ADMIN, _PrepareParams, _suspend_prepare),
    "gateway.suspend.resume": Method(ADMIN, _SuspensionParams, _suspend_resume),
    "gateway.suspend.status": Method(ADMIN, _SuspensionParams, _suspend_status),
    "health": Method(READ, _Params, _health),
    "logs.tail": Method(READ, _TailParams, _logs_tail),
    "models.list": Method(READ, _Params, _models_list),
    "sessions.abort": Method(WRITE, _AbortParams, _sessions_abort),
    "sessions.create": Method(WRITE, _CreateParams, _sessions_create),
    "sessions.delete": Method(ADMIN, _KeyParams, _sessions_delete),
    "sessions.describe": Method(READ, _KeyParams, _sessions_describe),
    "sessions.list": Method(READ, _SessionsParams, _sessions_list),
    "status": Method(READ, _Params, _status),
    "system.info": Method(READ, _Params, _system_info),
    "tasks.list": Method(READ, _TasksParams, _tasks_list),
    "usage.cost": Method(READ, _CostParams, _usage_cost),
}

EVENTS = ("connect.challenge", "agent", "chat", "tick", "shutdown", "health", "task")
WHILE_SUSPENDING = frozenset(
    {"gateway.suspend.prepare", "gateway.suspend.status", "gateway.suspend.resume"}
)
"""All that a gateway still answers from the moment it drains for a suspension."""


async def answer(call: Call, name: str, params: object, scopes: frozenset[str]) -> Answer:
    """The (first) answer to a request."""
    release = call.process.spec.release
    method = METHODS.get(name)
    if call.traceparent is not None and "traceparent" in release.lacks_keys:
        text = "invalid request frame: at root: unexpected property 'traceparent'"
        return ErrorAnswer(code="INVALID_REQUEST", message=text)
    if method is None or name in release.lacks_methods:
        return ErrorAnswer(code="INVALID_REQUEST", message=f"unknown method: {name}")
    if method.scope not in scopes:
        return ErrorAnswer(
            code="FORBIDDEN",
            message=f"missing scope: {method.scope}",
            details={
                "code": "MISSING_SCOPE",
                "missingScope": method.scope,
                "requiredScopes": [method.scope],
            },
        )
    phase = call.process.suspension_phase
    if phase in {"draining", "prepared"} and name not in WHILE_SUSPENDING:
        return suspended(name, phase)
    if wrong := objections(params, method.params, release):
        return _invalid(name, "; ".join(wrong))
    return await method.run(call, msgspec.convert(params, method.params))


def _invalid(name: str, problem: str) -> ErrorAnswer:
    return ErrorAnswer(code="INVALID_REQUEST", message=f"invalid {name} params: {problem}")
