"""A gateway's port as tests need it: scripted answers, or any bytes at all, over plain TCP."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.fleet import AgentSpec, OpenClawAgent, ProbeSpec
from fleet_tui.core.ids import AgentName, PoolName
from fleet_tui.core.tasks.evidence import RunOrder
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw.dial import ByteChannel, Dial, GatewayFailure
from fleet_tui.wire.openclaw.dialect import NEEDED
from fleet_tui.wire.openclaw.handshake import SCOPES
from fleet_tui.wire.openclaw.host_vitals import LANES, SYSTEM
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.openclaw.sessions import LIST
from fleet_tui.wire.ssh.failures import SshFailure

AGENT = AgentName("agent-1")
NOW_MS = 1_795_201_000_000
READY = b'{"ready":true,"failing":[]}'

KEYS = {
    "frame": {"traceparent"},
    "sessions.create": {"key", "agentId", "displayName", "label"},
    "agent": {
        *("message", "agentId", "sessionKey", "expectedExistingSessionId"),
        *("idempotencyKey", "timeout", "label"),
    },
    "agent.wait": {"runId", "timeoutMs"},
    "sessions.abort": {"runId", "key", "clearQueued"},
    "sessions.list": {"agentId", "search", "limit", "offset"},
}
"""What the newest release takes."""

OLD_KEYS = {"traceparent", "displayName", "expectedExistingSessionId", "clearQueued"}
"""What releases of July 2026 and before do not know."""

TEXTS = {"key", "agentId", "displayName", "runId", "sessionKey", "expectedExistingSessionId"}
TRUTHS = {"clearQueued"}

Handler = Callable[[dict[str, Any]], Any]


class Refuse(Exception):
    """Raised by a handler to refuse a request with this error."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.error = {"code": code, "message": code.lower(), **more}


class Silence(Exception):
    """Raised by a handler that never answers."""


class TcpChannel:
    """A byte channel over plain TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int = 65_536) -> bytes:
        return await self._reader.read(max_bytes)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class TcpDial:
    """Opens channels to a port and counts them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.opened = 0

    async def __call__(self) -> ByteChannel | GatewayFailure:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return GatewayFailure(kind=FailureKind.GATEWAY_DOWN)
        self.opened += 1
        return TcpChannel(reader, writer)


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[TcpDial]:
    """A server that says whatever ``talk`` says."""

    talks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        talks.add(asyncio.create_task(serve_one(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield TcpDial(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*talks)


class FakeGateway:
    """Speaks protocol 4 and answers from a table of handlers."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.requests: list[dict[str, Any]] = []
        self.hello: dict[str, Any] = {
            "protocol": 4,
            "server": {"version": "2026.9.6", "bootId": "boot-1"},
            "auth": {"scopes": list(SCOPES)},
            "features": {"methods": sorted(NEEDED | {LANES, SYSTEM, LIST})},
        }
        self.keys = {method: set(keys) for method, keys in KEYS.items()}
        """What each method takes. An older release takes less."""
        self.refused = 0
        """Requests so far that did not fit what it takes."""
        self.objects_with: str | None = ""
        """How it words that: empty as real ones do, None when it does not look."""
        self.ready = READY
        self.ready_status = 200
        self.connections: set[ServerConnection] = set()
        self.headers: dict[str, str] = {}
        """Of the newest HTTP request, an upgrade to a WebSocket or not."""

    def asked(self, method: str) -> list[dict[str, Any]]:
        """Parameters of every request of that name so far."""
        return [request["params"] for request in self.requests if request["method"] == method]

    async def cut(self) -> None:
        """Drop every connection without a word."""
        for connection in list(self.connections):
            connection.transport.abort()

    async def send(self, text: str) -> None:
        """Say something unasked on every connection."""
        for connection in list(self.connections):
            await connection.send(text)

    async def serve_one(self, connection: ServerConnection) -> None:
        """One client, until it leaves."""
        self.connections.add(connection)
        try:
            challenge = {"type": "event", "event": "connect.challenge", "payload": {"nonce": "n"}}
            await connection.send(json.dumps(challenge))
            async for message in connection:
                request = json.loads(message)
                objections = self._objections(request)
                if objections and self.objects_with is not None:
                    self.refused += 1
                    text = self.objects_with or "; ".join(objections)
                    await connection.send(json.dumps(_refusal(request, text)))
                    continue
                self.requests.append(request)
                for frame in self._answers(request):
                    await connection.send(json.dumps(frame))
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(connection)

    def http(self, connection: ServerConnection, request: Request) -> Response | None:
        """Readiness by HTTP; everything else becomes a WebSocket."""
        self.headers = dict(request.headers.raw_items())
        if empty := [name for name, value in self.headers.items() if not value.strip()]:
            # 2026.9.4 refuses an empty Sec-WebSocket-Extensions, and none needs an empty header.
            return connection.respond(400, f"Invalid {', '.join(empty)} header\n")
        if request.path != "/readyz":
            return None
        response = connection.respond(self.ready_status, "")
        response.body = self.ready
        del response.headers["Content-Length"]
        response.headers["Content-Length"] = str(len(self.ready))
        return response

    def _objections(self, request: dict[str, Any]) -> list[str]:
        """What a real gateway would name that validates this request."""
        unknown = set(request) - {"type", "id", "method", "params"} - self.keys["frame"]
        if unknown:
            return [
                f"invalid request frame: at root: unexpected property '{key}'" for key in unknown
            ]
        takes = self.keys.get(request["method"])
        found = []
        for key, value in request["params"].items():
            if takes is not None and key not in takes:
                found.append(f"at root: unexpected property '{key}'")
            elif key in TEXTS and not isinstance(value, str):
                found.append(f"at /{key}: must be string")
            elif key in TRUTHS and not isinstance(value, bool):
                found.append(f"at /{key}: must be boolean")
        return found

    def _answers(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Frames for one request: handlers give a payload, or a list of payloads for two steps."""
        head = {"type": "res", "id": request["id"]}
        handler = self.handlers.get(request["method"])
        if handler is None and request["method"] == "connect":
            return [{**head, "ok": True, "payload": self.hello}]
        try:
            if handler is None:
                message = f"unknown method: {request['method']}"
                raise Refuse("INVALID_REQUEST", message=message)
            given = handler(request["params"])
        except Refuse as refused:
            return [{**head, "ok": False, "error": refused.error}]
        except Silence:
            return []
        payloads = given if isinstance(given, list) else [given]
        return [{**head, "ok": True, "payload": payload} for payload in payloads]


def _refusal(request: dict[str, Any], message: str) -> dict[str, Any]:
    error = {"code": "INVALID_REQUEST", "message": message}
    return {"type": "res", "id": request["id"], "ok": False, "error": error}


@asynccontextmanager
async def running(gateway: FakeGateway) -> AsyncIterator[TcpDial]:
    """The gateway on a port of its own."""
    async with serve(
        gateway.serve_one,
        "127.0.0.1",
        0,
        process_request=gateway.http,
        compression=None,
        max_size=None,
    ) as server:
        yield TcpDial(next(iter(server.sockets)).getsockname()[1])


class Clock:
    """Epoch milliseconds that stand still until told."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@asynccontextmanager
async def port_to(
    dial: Dial,
    *,
    token: str | ProbeFailure | Callable[[], str | ProbeFailure] = "right",
    timeout_ms: int = 2_000,
    clock: Clock | None = None,
    host: SshFailure | None = None,
    is_owner: bool = True,
    kind: OpenClawAgent | None = None,
) -> AsyncIterator[OpenClawPort]:
    """An OpenClawPort on that dial, closed afterwards; ``host`` is what is wrong with its host,
    ``is_owner`` whether the ledger is still the engine's."""

    async def resolve() -> str | ProbeFailure:
        return token() if callable(token) else token

    spec = AgentSpec(
        name=AGENT,
        pool=PoolName("pool"),
        kind=kind or OpenClawAgent(port=1, token="secret:env:UNUSED"),
        probe=ProbeSpec(timeout_ms=timeout_ms),
    )
    port = OpenClawPort(
        spec,
        dial=dial,
        token=resolve,
        clock=clock or Clock(),
        is_owner=lambda: is_owner,
        why_no_host=lambda: host,
    )
    try:
        yield port
    finally:
        await port.close()


ORDER = RunOrder(
    run_id="01KTASK.1",
    task_id="01KTASK",
    attempt=1,
    payload=Untrusted("do it"),
    label="t-1",
    start_to_close_ms=1_500,
    trace_id="0af7651916cd43dd8448eb211c80319c",
)


class Session:
    """The parts of a gateway that an attempt touches."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.exists = False
        self.info: dict[str, Any] = {}
        self.tasks: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.final: dict[str, Any] | None = {"status": "ok"}
        self.wait: dict[str, Any] = {"status": "timeout"}
        gateway.handlers |= {
            "sessions.create": self.create,
            "sessions.delete": self.delete,
            "sessions.abort": lambda _: {"status": "no-active-run"},
            "agent": self.agent,
            "agent.wait": lambda _: self.wait,
            "tasks.list": lambda _: {"tasks": self.tasks},
            "chat.history": self.history,
        }

    def create(self, params: dict[str, Any]) -> dict[str, Any]:
        self.exists = True
        return {"key": params["key"], "sessionId": "session-1"}

    def delete(self, _params: dict[str, Any]) -> dict[str, Any]:
        self.exists = False
        return {"deleted": True}

    def agent(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        if not self.exists or params.get("expectedExistingSessionId", "session-1") != "session-1":
            raise Refuse("UNAVAILABLE")
        accepted = {"runId": params["idempotencyKey"], "status": "accepted"}
        return [accepted] if self.final is None else [accepted, self.final]

    def history(self, _params: dict[str, Any]) -> dict[str, Any]:
        known = {"sessionId": "session-1"} if self.exists else {}
        return {**known, "messages": self.messages, "sessionInfo": self.info}


def listing(keys: Sequence[str], at_work: Sequence[str] = ()) -> Handler:
    """A handler of ``sessions.list`` over these sessions, the newest first."""

    def listed(params: dict[str, Any]) -> dict[str, Any]:
        of, search = f"agent:{params['agentId']}:", params["search"].lower()
        found = [key for key in keys if key.startswith(of) and search in key]
        end = params["offset"] + params["limit"]
        page = found[params["offset"] : end]
        return {
            "totalCount": len(found),
            "hasMore": end < len(found),
            "nextOffset": end if end < len(found) else None,
            "sessions": [{"key": key, "hasActiveRun": key in at_work} for key in page],
        }

    return listed


@asynccontextmanager
async def at_work(gateway: FakeGateway) -> AsyncIterator[OpenClawPort]:
    async with running(gateway) as dial, port_to(dial) as subject:
        yield subject


def silence(_params: dict[str, Any]) -> None:
    """A handler that never answers."""
    raise Silence


def forbid(_params: dict[str, Any]) -> None:
    """A handler that refuses."""
    raise Refuse("FORBIDDEN")
