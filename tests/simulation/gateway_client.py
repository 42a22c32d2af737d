"""A small client for gateways in tests, and a gateway on a TCP port to try it on."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from fleet_tui.sim.demo.behaviour import SONNET, Planner, RunPlan, Step, Tokens
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.gateway import Gateway
from fleet_tui.sim.gateway.process import GatewaySpec
from fleet_tui.sim.gateway.releases import NEWEST, Release

TOKEN = "only-for-this-test"
START_MS = 1_790_000_000_000

SHAPES: dict[str, Any] = json.loads(
    Path(__file__).with_name("openclaw_shapes.json").read_text(encoding="utf-8")
)
"""Names and JSON types of what real gateways answered, by what was asked."""


def misfits(value: object, shape: object, path: str = "") -> list[str]:
    """Where a value has a field the real one has not, or one of another type."""
    match value, shape:
        case None, _:
            return []
        case _, "null":
            return []
        case dict(), dict():
            unknown = [f"{path}/{name}: not there" for name in value if name not in shape]
            known = [name for name in value if name in shape]
            return unknown + [
                m for name in known for m in misfits(value[name], shape[name], f"{path}/{name}")
            ]
        case list(), list():
            if not shape:
                return []
            return [m for item in value for m in misfits(item, shape[0], f"{path}[]")]
        case list(), "list":
            return []
        case dict(), "dict":
            return []
        case bool(), _:
            kind = "boolean"
        case ((int() | float()), _):
            kind = "number"
        case str(), _:
            kind = "string"
        case _:
            kind = type(value).__name__
    return [] if kind == shape else [f"{path}: {kind}, not {shape}"]


def names(value: object, path: str = "") -> set[str]:
    """Every field in a value, as paths."""
    match value:
        case dict():
            return {f"{path}/{name}" for name in value}.union(
                *(names(inner, f"{path}/{name}") for name, inner in value.items())
            )
        case [first, *_]:
            return names(first, f"{path}[]")
        case _:
            return set()


def run_plan(
    seconds: float = 10.0, *, error: str | None = None, answer: str = "Here it is."
) -> RunPlan:
    """A run of two equal halves with a line between them."""
    step = Step(after_s=seconds / 2, level="INFO", subsystem="agent/embedded", message="halfway")
    tokens = Tokens(input=855, output=62, cache_read=200)
    return RunPlan(
        steps=(step,), tail_s=seconds / 2, model=SONNET, tokens=tokens, answer=answer, error=error
    )


def always(plan: RunPlan) -> Planner:
    """A worker for whom all work is the same."""
    return lambda _run_id, _message: plan


class Client:
    """One WebSocket connection: frames in order of arrival, answers by their id."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self._reader = reader
        self._writer = writer
        self._protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"))
        self._answers: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._ids = iter(range(1, 10_000))
        self._changed = asyncio.Event()
        self._loop = asyncio.create_task(self._read())

    async def _read(self) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while True:
            chunk = await self._reader.read(65_536)
            if chunk:
                self._protocol.receive_data(chunk)
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                    self._take(json.loads(bytes(event.data)))
            self._flush()
            if not chunk or self._protocol.close_rcvd is not None:
                self.close_code = getattr(self._protocol.close_rcvd, "code", None)
                self._loop_done()
                return

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "event":
            self.events.append(frame)
        else:
            self._answers.setdefault(frame["id"], asyncio.Queue()).put_nowait(frame)
        self._changed.set()

    def _loop_done(self) -> None:
        lost = {"ok": False, "error": {"code": "CLOSED", "message": "connection ended"}}
        for queue in self._answers.values():
            queue.put_nowait(lost)
        self._changed.set()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)

    def send(self, method: str, params: dict[str, Any], **extra: Any) -> str:
        """Send a request; its id."""
        request_id = f"r{next(self._ids)}"
        self._answers[request_id] = asyncio.Queue()
        frame = {"type": "req", "id": request_id, "method": method, "params": params, **extra}
        self._protocol.send_text(json.dumps(frame).encode())
        self._flush()
        return request_id

    async def answer(self, request_id: str) -> dict[str, Any]:
        """The next answer to a request; an error CLOSED when the connection ends first."""
        return await self._answers[request_id].get()

    async def call(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request, as the whole frame."""
        return await self.answer(self.send(method, params or {}))

    async def payload(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The payload of an answer that must be good."""
        frame = await self.call(method, params)
        assert frame["ok"], frame
        payload: dict[str, Any] = frame["payload"]
        return payload

    async def event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event that is wanted."""
        while True:
            found = next((event for event in self.events if wanted(event)), None)
            if found is not None:
                return found
            self._changed.clear()
            await self._changed.wait()

    async def ended(self) -> None:
        """Wait until the connection has ended."""
        await asyncio.wait({self._loop})

    async def close(self) -> None:
        """End the connection."""
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self._writer.close()

    def dispatch(self, key: str, message: str = "hello", task: str = "t-1", **extra: Any) -> str:
        """Ask for a run in the task's own session; the request id."""
        params = {
            "message": message,
            "agentId": "main",
            "sessionKey": f"agent:main:fleet:{task}",
            "idempotencyKey": key,
            **extra,
        }
        return self.send("agent", params, traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01")


def connect_params(token: str = TOKEN, **changes: Any) -> dict[str, Any]:
    """Parameters of a good ``connect``, changed as asked."""
    return {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "mode": "backend", "version": "1", "platform": "linux"},
        "role": "operator",
        "scopes": ["operator.read", "operator.write", "operator.admin"],
        "auth": {"token": token},
        **changes,
    }


class Bench:
    """A gateway on a TCP port of its own, and clients for it."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        self.gateway = gateway
        self.port = port
        self._clients: list[Client] = []

    async def open(self) -> Client:
        """A connection that has not said hello."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        await client.event(lambda event: event["event"] == "connect.challenge")
        return client

    async def client(self, **changes: Any) -> Client:
        """A connection that said hello."""
        client = await self.open()
        await client.payload("connect", connect_params(**changes))
        return client

    async def get(self, path: str, *headers: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a GET."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", "Host: x", *headers))
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        first, _, rest = answer.partition(b"\r\n")
        body: dict[str, Any] = json.loads(rest.partition(b"\r\n\r\n")[2])
        return int(first.split()[1]), body

    async def close(self) -> None:
        """End every client."""
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def gateway_bench(
    plan: Planner | RunPlan | None = None,
    *,
    speed: float = 50.0,
    max_concurrent: int = 8,
    release: Release = NEWEST,
) -> AsyncIterator[Bench]:
    """A ready gateway; time goes by ``speed`` times as fast as outside."""
    chosen = plan or run_plan()
    gateway = Gateway(
        GatewaySpec(
            name="agent-01",
            port=18789,
            token=TOKEN,
            model=SONNET,
            max_concurrent=max_concurrent,
            release=release,
        ),
        host=Host("host-1", seed=1),
        pace=Pace(_ticking_clock(), speed),
        rng=random.Random(1),
        plan=always(chosen) if isinstance(chosen, RunPlan) else chosen,
    )
    gateway.start(boot_s=0)
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    bench = Bench(gateway, server.sockets[0].getsockname()[1])
    try:
        yield bench
    finally:
        await bench.close()
        await gateway.close()
        server.close()
        await server.wait_closed()


def _ticking_clock() -> Callable[[], int]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    return lambda: START_MS + round((loop.time() - began) * 1_000)
