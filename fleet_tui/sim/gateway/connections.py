"""The bytes of a simulated gateway: HTTP probes and WebSocket connections on any byte stream.

The same code serves a channel of an SSH connection and a plain TCP socket.
"""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Protocol

import h11
import msgspec
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from fleet_tui.sim.gateway import answers
from fleet_tui.sim.gateway.answers import ErrorAnswer, response
from fleet_tui.sim.gateway.disk import Json
from fleet_tui.sim.gateway.methods import ADMIN, EVENTS, METHODS, READ, WRITE, answer
from fleet_tui.sim.gateway.process import Process

READ_BYTES = 65_536
MAX_HEAD_BYTES = 16_384
MAX_OUTGOING_FRAMES = 10_000
"""A client that does not read loses its connection when so many frames wait for it."""

POLICY_VIOLATION = 1008

_KNOWN_CLIENTS = {"gateway-client": "backend", "cli": "cli"}
"""Clients that keep the scopes they ask for, with the mode they must name."""
_SCOPELESS_CLIENTS = frozenset({"openclaw-probe", "openclaw-control-ui", "webchat-ui"})


class ByteReader(Protocol):
    """The reading half of a stream."""

    async def read(self, n: int = -1) -> bytes:
        """Some bytes; none at the end."""
        ...


class ByteWriter(Protocol):
    """The writing half of a stream."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    async def drain(self) -> None:
        """Wait until there is room."""
        ...

    def close(self) -> None:
        """End the stream."""
        ...


async def serve(process: Process, reader: ByteReader, writer: ByteWriter) -> None:
    """Serve one connection until either side ends it. Raises nothing for a lost peer."""
    try:
        head = await _head(process, reader)
        if head is None:
            return
        if b"upgrade: websocket" in head.lower():
            await WebSocketConnection(process, reader, writer).run(head)
        else:
            await _serve_http(process, reader, writer, head)
    except OSError:
        pass  # the peer is gone, which is what this end reports by closing
    finally:
        writer.close()


async def _head(process: Process, reader: ByteReader) -> bytes | None:
    """The first request's head, and whatever came with it; None when there is none."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < MAX_HEAD_BYTES:
        chunk = await reader.read(READ_BYTES)
        await process.thawed.wait()
        if not chunk:
            return None
        head += chunk
    return head


async def _serve_http(
    process: Process, reader: ByteReader, writer: ByteWriter, received: bytes
) -> None:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
    connection.receive_data(received)
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(READ_BYTES))
                await process.thawed.wait()
            elif isinstance(event, h11.Request):
                path = event.target.decode("ascii", "replace").partition("?")[0]
                forwarded = any(name.startswith(b"x-forwarded") for name, _ in event.headers)
                status, body = http_answer(process, path, forwarded=forwarded)
                await _respond(connection, writer, status, body)
            elif connection.our_state is h11.MUST_CLOSE or isinstance(event, h11.ConnectionClosed):
                return
            elif connection.our_state is h11.DONE and connection.their_state is h11.DONE:
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return


async def _respond(connection: h11.Connection, writer: ByteWriter, status: int, body: Json) -> None:
    content = msgspec.json.encode(body)
    headers = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Length", str(len(content))),
    ]
    parts = (
        h11.Response(status_code=status, headers=headers),
        h11.Data(data=content),
        h11.EndOfMessage(),
    )
    writer.write(b"".join(connection.send(part) or b"" for part in parts))
    await writer.drain()


def http_answer(process: Process, path: str, *, forwarded: bool) -> tuple[int, Json]:
    """Status and body of a GET; the probes need no token."""
    if forwarded:
        kind = {
            "message": "Proxy client attribution is required.",
            "type": "proxy_attribution_required",
        }
        return 403, {"error": kind}
    failing = process.failing()
    uptime_ms = process.uptime_ms
    match path:
        case "/health" | "/healthz":
            return 200, {"ok": True, "status": "live"}
        case "/startup" | "/startupz":
            word = "started"
            if failing:
                word = "draining" if process.is_ready else "starting"
            said: Json = {
                "ok": not failing,
                "status": word,
                "version": process.spec.release.version,
            }
            return (503 if failing else 200), said | {"uptimeMs": uptime_ms}
        case "/ready" | "/readyz":
            ready: Json = {"ready": not failing, "failing": failing, "uptimeMs": uptime_ms}
            return (503 if failing else 200), ready | {"eventLoop": process.event_loop()}
        case _:  # a path that a gateway does not serve
            return 404, {"error": {"message": "Not Found", "type": "not_found"}}


class _Client(msgspec.Struct, frozen=True):
    id: str
    mode: str = ""


class _Auth(msgspec.Struct, frozen=True):
    token: str = ""


class _Connect(msgspec.Struct, frozen=True, rename="camel"):
    min_protocol: int
    max_protocol: int
    client: _Client
    role: str = "operator"
    scopes: list[str] = []
    auth: _Auth = _Auth()


class _Request(msgspec.Struct, frozen=True):
    id: str
    method: str
    type: str = "req"
    params: msgspec.Raw = msgspec.Raw(b"{}")
    traceparent: str | None = None


class RequestInHand:
    """One request while it is being answered."""

    def __init__(self, connection: "WebSocketConnection", request: _Request) -> None:
        self.process = connection.process
        self.traceparent = request.traceparent
        self._connection = connection
        self._id = request.id

    def answer_again(self, body: Json | ErrorAnswer) -> None:
        """Send an answer; nothing happens when the connection is gone."""
        self._connection.send(response(self._id, body))


class WebSocketConnection:
    """A client of the gateway from its upgrade to its end."""

    def __init__(self, process: Process, reader: ByteReader, writer: ByteWriter) -> None:
        self.process = process
        self.scopes: frozenset[str] = frozenset()
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol(max_size=answers.MAX_PAYLOAD_BYTES, logger=None)
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue(MAX_OUTGOING_FRAMES)
        self._seq = 0
        self._greeted = False
        self._partial = b""
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, first: bytes) -> None:
        """Serve until the connection ends."""
        sender = asyncio.get_running_loop().create_task(self._send_all())
        try:
            self._protocol.receive_data(first)
            while self._take() and not sender.done():
                chunk = await self._reader.read(READ_BYTES)
                await self.process.thawed.wait()
                if chunk:
                    self._protocol.receive_data(chunk)
                else:
                    self._protocol.receive_eof()
            await self._outgoing.join()
        finally:
            self.process.listeners.pop(self, None)
            sender.cancel()
            for task in list(self._tasks):
                task.cancel()

    def push(self, event: str, payload: Json) -> None:
        """Send an event, numbered."""
        if READ in self.scopes:
            self._seq += 1
            self.send({"type": "event", "event": event, "payload": payload, "seq": self._seq})

    def send(self, frame: Json) -> None:
        """Send a frame, if the connection is open."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(msgspec.json.encode(frame))
            self._flush()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye with a close code."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush()

    def abort(self) -> None:
        """End the stream without a word."""
        self._writer.close()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self._outgoing.full():
                return self.abort()
            self._outgoing.put_nowait(data)

    async def _send_all(self) -> None:
        """Write what is to be sent, in order; an empty piece ends the stream."""
        try:
            while True:
                data = await self._outgoing.get()
                try:
                    if not data:
                        return self._writer.close()
                    self._writer.write(data)
                    await self._writer.drain()
                finally:
                    self._outgoing.task_done()
        except OSError:
            self._writer.close()
        finally:
            while not self._outgoing.empty():
                self._outgoing.get_nowait()
                self._outgoing.task_done()

    def _take(self) -> bool:
        """Act on what arrived; False when nothing more can come."""
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._upgrade(event)
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._flush()
        return not self._protocol.close_expected() and self._protocol.state in {
            State.CONNECTING,
            State.OPEN,
            State.CLOSING,
        }

    def _upgrade(self, request: Request) -> None:
        try:
            accepted = self._protocol.accept(request)
        except InvalidHandshake as error:
            accepted = self._protocol.reject(400, str(error))
        self._protocol.send_response(accepted)
        self._flush()
        nonce = str(uuid.UUID(int=self.process.rng.getrandbits(128), version=4))
        challenge: Json = {"nonce": nonce, "ts": self.process.pace.now_ms()}
        self.send({"type": "event", "event": "connect.challenge", "payload": challenge})

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return
        self._partial += bytes(frame.data)
        if not frame.fin:
            return
        data, self._partial = self._partial, b""
        try:
            request = msgspec.json.decode(data, type=_Request)
        except msgspec.DecodeError:
            return self.close(POLICY_VIOLATION, "invalid request frame")
        self._spawn(self._handle(request))

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, request: _Request) -> None:
        if not self._greeted:
            return await self._greet(request)
        params: object = msgspec.json.decode(request.params)
        call = RequestInHand(self, request)
        body = await answer(call, request.method, params, self.scopes)
        self.send(response(request.id, body))

    async def _greet(self, request: _Request) -> None:
        """The handshake: protocol, client name, token, in this order."""
        if request.method != "connect":
            text = "invalid handshake: first request must be connect"
            return self._refuse(request, ErrorAnswer(code="INVALID_REQUEST", message=text))
        try:
            asked = msgspec.json.decode(request.params, type=_Connect)
        except msgspec.DecodeError as error:
            text = f"invalid connect params: {error}"
            return self._refuse(request, ErrorAnswer(code="INVALID_REQUEST", message=text))
        refusal = handshake_refusal(asked)
        if refusal is None and asked.auth.token != self.process.spec.token:
            await self.process.punish()
            refusal = WRONG_TOKEN
        if refusal is None and not self.process.is_ready:
            refusal = STARTING
        if refusal is not None:
            return self._refuse(request, refusal)
        keeps = _KNOWN_CLIENTS.get(asked.client.id) == asked.client.mode
        granted = [scope for scope in (READ, WRITE, ADMIN) if scope in asked.scopes and keeps]
        self.scopes = frozenset(granted)
        self._greeted = True
        self.process.listeners[self] = None
        self.send(response(request.id, self._hello(granted)))

    def _refuse(self, request: _Request, refusal: ErrorAnswer) -> None:
        self.send(response(request.id, refusal))
        self.close(POLICY_VIOLATION, refusal.message)

    def _hello(self, scopes: list[str]) -> Json:
        process = self.process
        spec = process.spec
        raw = answers.config(port=spec.port, model=spec.model, max_concurrent=spec.max_concurrent)
        health = process.health()
        del health["modelRuntime"]  # the snapshot of a connection does not have it
        methods = [name for name in METHODS if name not in spec.release.lacks_methods]
        defaults: Json = {
            "defaultAgentId": spec.agent_id,
            "modelConfigured": True,
            "mainKey": "main",
            "mainSessionKey": f"agent:{spec.agent_id}:main",
            "scope": "per-sender",
        }
        return {
            "type": "hello-ok",
            "protocol": answers.PROTOCOL,
            "server": {
                "version": spec.release.version,
                **({"buildId": answers.BUILD_ID} if spec.release.tells_boot_id else {}),
                **({"bootId": process.boot_id} if spec.release.tells_boot_id else {}),
                "controlUiBuildSource": "bundled",
                "connId": process.new_id(),
            },
            "features": {"methods": methods, "events": list(EVENTS), "capabilities": []},
            "snapshot": {
                "suspension": {"phase": process.suspension_phase},
                "presence": [],
                "health": health,
                "stateVersion": {"presence": 1, "health": 1},
                "uptimeMs": process.uptime_ms,
                "appliedConfigHash": raw["appliedConfigHash"],
                "sessionDefaults": defaults,
                "configPath": "/srv/openclaw/openclaw.json",
                "stateDir": "/srv/openclaw",
                "authMode": "token",
            },
            "auth": {"method": "token", "role": "operator", "scopes": scopes},
            "policy": {
                "maxPayload": answers.MAX_PAYLOAD_BYTES,
                "maxBufferedBytes": 2 * answers.MAX_PAYLOAD_BYTES,
                "tickIntervalMs": answers.TICK_S * 1_000,
            },
        }


STARTING = ErrorAnswer(
    code="UNAVAILABLE",
    message="gateway is starting",
    details={"reason": "startup-sidecars"},
    retry_after_ms=500,
)
WRONG_TOKEN = ErrorAnswer(
    code="INVALID_REQUEST",
    message="unauthorized: gateway token mismatch (provide gateway auth token)",
    details={
        "code": "AUTH_TOKEN_MISMATCH",
        "authReason": "token_mismatch",
        "canRetryWithDeviceToken": False,
        "recommendedNextStep": "update_auth_credentials",
    },
)
NO_TOKEN = ErrorAnswer(
    code="NOT_PAIRED",
    message="device identity required",
    details={"code": "DEVICE_IDENTITY_REQUIRED"},
)


def handshake_refusal(asked: _Connect) -> ErrorAnswer | None:
    """The fault of a ``connect`` before its token is checked."""
    if not asked.min_protocol <= answers.PROTOCOL <= asked.max_protocol:
        return ErrorAnswer(
            code="INVALID_REQUEST",
            message="protocol mismatch",
            details={
                "code": "PROTOCOL_MISMATCH",
                "clientMinProtocol": asked.min_protocol,
                "clientMaxProtocol": asked.max_protocol,
                "expectedProtocol": answers.PROTOCOL,
                "minimumProbeProtocol": 3,
            },
        )
    if asked.client.id not in _KNOWN_CLIENTS and asked.client.id not in _SCOPELESS_CLIENTS:
        text = "invalid connect params: at /client/id: must be equal to constant"
        return ErrorAnswer(code="INVALID_REQUEST", message=text)
    return None if asked.auth.token else NO_TOKEN
