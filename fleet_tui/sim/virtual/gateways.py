"""OpenClaw gateways in virtual time, and the way of an engine to them.

The gateway is the one of the demo (:mod:`fleet_tui.sim.gateway.gateway`), which is held to what
real ones were recorded to say; the engine's side is the real line, connection and attempts. Only
the bytes of HTTP and WebSocket between the two are left out: whole frames travel over the simulated
network, or do not.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from fleet_tui.core.agents.canary import agent_of_canary
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import AgentSpec
from fleet_tui.core.ids import AgentName, HostName, RunId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.evidence import Unknown
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.sim.demo.behaviour import SONNET, RunPlan, Tokens
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway import answers
from fleet_tui.sim.gateway.answers import ErrorAnswer, response
from fleet_tui.sim.gateway.disk import Json
from fleet_tui.sim.gateway.gateway import Gateway
from fleet_tui.sim.gateway.methods import ADMIN, READ, WRITE, answer
from fleet_tui.sim.gateway.process import GatewaySpec, Process
from fleet_tui.sim.gateway.releases import NEWEST, Release
from fleet_tui.sim.virtual.loop import NotVirtual, VirtualLoop
from fleet_tui.sim.virtual.truth import Execution, Truth, sha256
from fleet_tui.wire.openclaw.attempt import Attempts, RunsByAttempts
from fleet_tui.wire.openclaw.connection import CONNECT_TIMEOUT_MS, Connection
from fleet_tui.wire.openclaw.connector import Connector
from fleet_tui.wire.openclaw.dial import ByteChannel, GatewayFailure
from fleet_tui.wire.openclaw.dialect import Dialect
from fleet_tui.wire.openclaw.frames import GatewayHello, Granted, Policy, ServerInfo
from fleet_tui.wire.openclaw.host_vitals import LANES, SYSTEM
from fleet_tui.wire.openclaw.readiness import DRAINING
from fleet_tui.wire.port import KeptRuns
from fleet_tui.wire.ssh.pool import SshFailure

if TYPE_CHECKING:
    from fleet_tui.sim.virtual.host import Habit
    from fleet_tui.sim.virtual.network import SimPool, SimShell

SCOPES = (READ, WRITE, ADMIN)

PORT, NOBODY_ASKS = 21_001, ""

START_AGAIN_S = 5.0
"""How long whoever looks after a gateway takes to start it again."""

CANARY_USED, CANARY_SAID = (300, 3), "ready"
"""What a canary run takes, and what comes of it."""

Effect = Callable[[int, str, str], None]
"""Told of every question about a run as it leaves: epoch of the engine, verb, run id."""

_STATUS = {"completed": 0, "failed": 3, "timed_out": 124, "cancelled": 143}
"""How a run ended, in the words of the ledger, as a program would have said it."""


class _TaskRow(msgspec.Struct, frozen=True, rename="camel"):
    run_id: str
    session_key: str
    status: str
    execution: dict[str, str | int]


class _TaskEvent(msgspec.Struct, frozen=True):
    task: _TaskRow


class Poison(StrEnum):
    """What makes a gateway useless that looks well."""

    REFUSES = "refuses"
    """Every start: it does not know a key of the request."""
    FAILS = "fails"
    """Every run, at once: its database is broken."""


class SimGateway:
    """One agent's gateway on a machine. What its runs do is written into the truth."""

    def __init__(
        self,
        agent: AgentName,
        host: HostName,
        loop: VirtualLoop,
        rng: random.Random,
        truth: Truth,
        habits: "Callable[[str], Habit]",
        now_ms: Callable[[], int],
        release: Release = NEWEST,
    ) -> None:
        self.agent = agent
        self.release = release
        self.epochs: dict[str, int] = {}
        """By run id: the engine that asked for it."""
        self.loop = loop
        self.host = host
        self._rng = rng
        self._truth = truth
        self._habits = habits
        self._given: dict[str, str] = {}
        self._machine_up = True
        self.poison: Poison | None = None
        """What is wrong with it although it answers; None for nothing."""
        self.poisoned_s: list[float] = []
        """When it refused or failed what it got for that."""
        spec = GatewaySpec(name=agent, port=PORT, token=NOBODY_ASKS, model=SONNET, release=release)
        self._gateway = Gateway(
            spec, host=Host(host, 1), pace=Pace(now_ms), rng=rng, plan=self._plan
        )

    @property
    def process(self) -> Process | None:
        """The process that answers on its port, if there is one."""
        return self._gateway.process if self._gateway.is_listening else None

    @property
    def can_be_fenced(self) -> bool:
        """Whether its release can be kept from a start that comes late."""
        return "expectedExistingSessionId" not in self.release.lacks_keys

    # What may happen to it

    def start(self, boot_s: float | None = None) -> None:
        """Start it unless it runs; ready at once with ``boot_s`` 0."""
        if self._machine_up:
            self._gateway.start(boot_s=boot_s)
            process = self._gateway.process
            if not any(isinstance(one, _Scribe) for one in process.listeners):
                process.listeners[_Scribe(self)] = None

    def kill(self) -> None:
        """End it at once; it is started again after a while."""
        self._gateway.kill()
        self.loop.later(START_AGAIN_S, self.start)

    def pause(self) -> None:
        """SIGSTOP."""
        self._gateway.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self._gateway.resume()

    def go_down(self) -> None:
        """Its machine loses power."""
        self._machine_up = False
        self._gateway.kill()

    def come_up(self) -> None:
        """Its machine has booted."""
        self._machine_up = True
        self.start()

    # What its runs do

    def _plan(self, run: str, message: str) -> RunPlan:
        """The course of a run. A turn it gives itself is about what the user asked for last."""
        self._given[run] = sha256(message.encode())
        if self.poison is Poison.FAILS:
            self.poisoned_s.append(self.loop.time())
            return RunPlan(
                steps=(),
                tail_s=0.3,
                model=SONNET,
                tokens=Tokens(input=0, output=0),
                answer="",
                error="Agent database cleanup failed",
            )
        if is_canary(run):
            used, said = CANARY_USED, CANARY_SAID
            tokens = Tokens(input=used[0], output=used[1])
            return RunPlan(steps=(), tail_s=0.7, model=SONNET, tokens=tokens, answer=said)
        habit = self._habits(run)
        return RunPlan(
            steps=(),
            tail_s=habit.seconds,
            model=SONNET,
            tokens=Tokens(input=habit.used[0], output=habit.used[1]),
            answer="" if habit.status else habit.output,
            error="the model failed" if habit.status != 0 else None,
        )

    def began(self, run: str, session_key: str) -> Execution:
        """A run got its turn."""
        attempt = run_of(session_key)
        used, said = CANARY_USED, CANARY_SAID
        if not is_canary(attempt):
            used, said = self._habits(run).used, self._habits(run).output
        execution = Execution(
            run=attempt,
            agent=self.agent,
            host=self.host,
            epoch=self.epochs.get(run, 0),
            host_epoch=0,
            payload_sha256=self._given[run],
            started_s=self.loop.time(),
            output=said,
            used=used,
            continued=run != attempt,
            in_gateway=True,
        )
        kept = self._truth.canaries if is_canary(attempt) else self._truth.executions
        kept.append(execution)
        return execution


class _Scribe:
    """Hears everything one process of a gateway tells, and writes down what its runs do."""

    def __init__(self, gateway: SimGateway) -> None:
        self._gateway = gateway
        self._at_work: dict[str, Execution] = {}

    def push(self, event: str, payload: Json) -> None:
        """See :class:`Listener`."""
        if event != "task":
            return
        row = msgspec.convert(payload, _TaskEvent).task
        execution = self._at_work.get(row.run_id)
        if execution is None and row.execution["state"] == "running":
            self._at_work[row.run_id] = self._gateway.began(row.run_id, row.session_key)
        elif execution is not None and row.status in _STATUS:
            del self._at_work[row.run_id]
            execution.ended_s = self._gateway.loop.time()
            execution.status = _STATUS[row.status]
            execution.recorded = True

    def close(self, code: int, reason: str) -> None:
        """See :class:`Listener`."""

    def abort(self) -> None:
        """The process is gone, and its runs with it."""
        for execution in self._at_work.values():
            execution.ended_s = self._gateway.loop.time()
        self._at_work.clear()


def run_of(session_key: str) -> str:
    """The run id of the attempt that a session was made for."""
    _, _, task, attempt = session_key.rsplit(":", 3)
    run = f"{task}.{attempt}"  # the key is lower case, and so are the simulated agents' names
    return run if is_canary(run) else run.upper()


def is_canary(run: str) -> bool:
    """Whether it is no task's run."""
    return agent_of_canary(RunId(run)) is not None


class _Request(msgspec.Struct, frozen=True):
    id: str
    method: str
    params: dict[str, object]
    traceparent: str | None = None


class SimStream:
    """Frames between an engine and one process of a gateway. Both ends see it as theirs: the
    gateway pushes events into it, the engine's connection sends and receives."""

    close_reason = ""

    def __init__(
        self, shell: "SimShell", gateway: SimGateway, process: Process, epoch: int, effect: Effect
    ) -> None:
        self._shell = shell
        self._gateway = gateway
        self._process = process
        self._epoch = epoch
        self._effect = effect
        self._frames: deque[bytes] = deque()
        self._over = False
        self._waiting: asyncio.Future[None] | None = None
        self._arrives_s = 0.0

    # The engine's end

    async def send(self, message: bytes) -> None:
        """See :class:`~fleet_tui.wire.openclaw.connection.Messages`."""
        if self._over:
            raise ConnectionResetError("the channel is closed")
        request = msgspec.json.decode(message, type=_Request)
        self._tell(request)
        is_start = request.method == "agent"
        send = self._shell.transmit_start if is_start else self._shell.transmit
        send(lambda answered: self._arrive(request, answered=answered))

    async def receive(self) -> bytes | None:
        """See :class:`~fleet_tui.wire.openclaw.connection.Messages`."""
        while not self._frames:
            if self._over:
                return None
            self._waiting = self._gateway.loop.create_future()
            await self._waiting
        return self._frames.popleft()

    def close(self, code: int = 0, reason: str = "") -> None:
        """Either end closes it."""
        self._over = True
        self._process.listeners.pop(self, None)
        self._shell.channels.pop(self, None)
        self._wake()

    # The gateway's end

    def push(self, event: str, payload: Json) -> None:
        """See :class:`Listener`. Of the events only the tick matters to an engine's connection."""
        if event == "tick":
            self._return({"type": "event", "event": event, "payload": payload})

    def abort(self) -> None:
        """The process is gone, and its machine says so."""
        self._shell.give_back(self.close, after_s=self._arrives_s)

    def _arrive(self, request: _Request, *, answered: bool) -> None:
        """Runs outside every engine: what a gateway does survives whoever asked for it."""
        if self._process is self._gateway.process:
            self._process.spawn(self._handle(request, answered=answered))

    async def _handle(self, request: _Request, *, answered: bool) -> None:
        process = self._process
        await process.thawed.wait()
        if request.method == "agent":
            self._gateway.epochs[str(request.params["idempotencyKey"])] = self._epoch
        call = _Call(self, request, answered=answered)
        if request.method == "sessions.create" and self._gateway.poison is Poison.REFUSES:
            self._gateway.poisoned_s.append(self._gateway.loop.time())
            unknown = "invalid sessions.create params: unexpected property"
            call.answer_again(ErrorAnswer(code="INVALID_REQUEST", message=unknown))
            return
        body = await answer(call, request.method, request.params, frozenset(SCOPES))
        call.answer_again(body)

    def _return(self, frame: Json) -> None:
        """Frames of one connection come in the order in which they left."""
        encoded = msgspec.json.encode(frame)
        self._arrives_s = self._shell.give_back(
            lambda: self._deliver(encoded), after_s=self._arrives_s
        )

    def _deliver(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _tell(self, request: _Request) -> None:
        """What is asked for is to be in the ledger by now."""
        params = request.params
        run = params.get("idempotencyKey") or params.get("runId")
        if run is None:
            run = run_of(str(params.get("key") or params.get("sessionKey")))
        verb = {"agent": "start", "sessions.abort": "cancel"}.get(request.method, "probe")
        self._effect(self._epoch, verb, str(run))


class _Call:
    """One request on its connection."""

    def __init__(self, stream: SimStream, request: _Request, *, answered: bool) -> None:
        self.process = stream._process
        self.traceparent = request.traceparent
        self._stream = stream
        self._id = request.id
        self._answered = answered

    def answer_again(self, body: Json | ErrorAnswer) -> None:
        """See :class:`~fleet_tui.sim.gateway.methods.Call`."""
        if self._answered:
            self._stream._return(response(self._id, body))


def dialect_of(release: Release) -> Dialect:
    """What an engine finds out when it asks a gateway of that release."""
    lacks_keys, lacks_methods = release.lacks_keys, release.lacks_methods
    return Dialect(
        version=release.version,
        lanes=LANES not in lacks_methods,
        system=SYSTEM not in lacks_methods,
        display_name="displayName" not in lacks_keys,
        expected_session="expectedExistingSessionId" not in lacks_keys,
        clear_queued="clearQueued" not in lacks_keys,
        traced="traceparent" not in lacks_keys,
        boot_id=release.tells_boot_id,
    )


class _SimLine(Connector):
    """The kept connection to one gateway, whose frames are not put into bytes."""

    def __init__(
        self,
        gateway: SimGateway,
        pool: "SimPool",
        epoch: int,
        effect: Effect,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(
            gateway.agent,
            dial=_no_bytes,
            token=_no_token,
            clock=clock,
            known=dialect_of(gateway.release),
        )
        self._gateway = gateway
        self._pool = pool
        self._epoch = epoch
        self._effect = effect

    async def _connect(self) -> Connection | GatewayFailure:
        shell = await self._pool.connect(self._gateway.host)
        if isinstance(shell, SshFailure):
            return GatewayFailure(kind=shell.kind, detail=shell.detail)
        found = await shell.ask(self._knock, timeout_ms=CONNECT_TIMEOUT_MS)
        if isinstance(found, Unknown):
            hung = found.reason == "timeout"
            kind = FailureKind.GATEWAY_HUNG if hung else FailureKind.GATEWAY_DOWN
            return GatewayFailure(kind=kind, detail=found.detail)
        process = found.value
        if process is None:
            return GatewayFailure(kind=FailureKind.GATEWAY_DOWN, detail=Untrusted("refused"))
        if not process.is_ready:
            return GatewayFailure(kind=FailureKind.GATEWAY_STARTING)
        stream = SimStream(shell, self._gateway, process, self._epoch, self._effect)
        shell.channels[stream] = None
        if process is self._gateway.process:
            process.listeners[stream] = None
        else:
            stream.close()
        hello = GatewayHello(
            protocol=answers.PROTOCOL,
            server=ServerInfo(
                version=self._gateway.release.version,
                boot_id=process.boot_id if self._gateway.release.tells_boot_id else "",
            ),
            auth=Granted(scopes=list(SCOPES)),
            policy=Policy(tick_interval_ms=answers.TICK_S * 1_000),
        )
        booted_at_ms = process.pace.now_ms() - process.uptime_ms
        return Connection(stream, hello, lambda _: None, booted_at_ms=booted_at_ms)

    def _knock(self, respond: Callable[[Process | None], None]) -> None:
        process = self._gateway.process
        if process is None or process.thawed.is_set():
            respond(process)


async def _no_bytes() -> ByteChannel | GatewayFailure:
    raise NotVirtual("the simulation has no bytes to a gateway")


async def _no_token() -> str | ProbeFailure:
    raise NotVirtual("the simulation has no tokens")


async def _silence() -> AsyncIterator[LogLine | LogGap]:
    await asyncio.Event().wait()
    yield LogGap(received_at_ms=0, source=None, reason="never")


class SimGatewayPort(RunsByAttempts):
    """What an engine has instead of :class:`fleet_tui.wire.openclaw.port.OpenClawPort`: the same
    attempts, and a look that is one question."""

    def __init__(
        self,
        agent: AgentSpec,
        gateway: SimGateway,
        pool: "SimPool",
        *,
        epoch: int,
        is_owner: Callable[[], bool],
        effect: Effect,
        now_ms: Callable[[], int],
    ) -> None:
        self._agent = agent
        self._gateway = gateway
        self._pool = pool
        self._now_ms = now_ms
        self._limits = dialect_of(gateway.release).limits
        self._line = _SimLine(gateway, pool, epoch, effect, now_ms)
        self._attempts = Attempts(self._line, agent_id="main", is_owner=is_owner)

    async def probe(self) -> VitalsReading | ProbeFailure:
        """See :class:`AgentPort`."""
        began_s = self._gateway.loop.time()
        try:
            async with asyncio.timeout(self._agent.probe.timeout_ms / 1_000):
                shell = await self._pool.connect(self._gateway.host)
                if isinstance(shell, SshFailure):
                    return self._failed(shell.kind, shell.detail)
                found = await shell.ask(self._look, timeout_ms=self._agent.probe.timeout_ms)
        except TimeoutError:
            return self._failed(FailureKind.TIMEOUT)
        if isinstance(found, Unknown):
            hung = found.reason == "timeout"
            return self._failed(FailureKind.GATEWAY_HUNG if hung else FailureKind.SSH_UNREACHABLE)
        seen = found.value
        if seen is None:
            return self._failed(FailureKind.GATEWAY_DOWN)
        failing, boot_id = seen
        return VitalsReading(
            agent=self._agent.name,
            observed_at_ms=self._now_ms(),
            latency_ms=(self._gateway.loop.time() - began_s) * 1_000,
            ready=not failing,
            draining=DRAINING in failing,
            note=" ".join(failing),
            version=self._gateway.release.version,
            boot_id=boot_id if not failing and self._gateway.release.tells_boot_id else None,
            limits=self._limits,
        )

    async def lost(self) -> ProbeFailure:
        """See :class:`AgentPort`."""
        lost = await self._line.lost()
        unseen = self._pool.why_not(self._gateway.host) is not None
        kind = FailureKind.SSH_UNREACHABLE if unseen else FailureKind.GATEWAY_DOWN
        return self._failed(kind, lost.detail)

    def tail(self) -> AsyncIterator[LogLine | LogGap]:
        """See :class:`AgentPort`. Nobody reads logs here, so none come."""
        return _silence()

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        """See :class:`AgentPort`."""
        return runs

    async def kept(self, skip: int) -> KeptRuns | None:
        """See :class:`AgentPort`. What is collected here is not deleted either."""
        return KeptRuns(())

    async def close(self) -> None:
        """See :class:`AgentPort`."""
        await self._line.close()

    def _look(self, respond: Callable[[tuple[list[str], str] | None], None]) -> None:
        process = self._gateway.process
        if process is None:
            respond(None)
        elif process.thawed.is_set():
            respond((process.failing(), process.boot_id))

    def _failed(self, kind: FailureKind, detail: Untrusted = NOTHING_SAID) -> ProbeFailure:
        return ProbeFailure(
            agent=self._agent.name, observed_at_ms=self._now_ms(), kind=kind, detail=detail
        )
