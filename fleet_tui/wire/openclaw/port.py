"""An OpenClaw gateway as an :class:`~fleet_tui.wire.port.AgentPort`.

The cheap probe is ``GET /readyz`` on a persistent channel; everything else goes over one
authenticated WebSocket that is opened on demand and never reconnects by itself. Work is started so
that it can be fenced: see :mod:`fleet_tui.wire.openclaw.attempt`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar, assert_never

import msgspec
from msgspec.structs import replace

from fleet_tui.core.agents.vitals import (
    FailureKind,
    Limit,
    ModelTrouble,
    ProbeFailure,
    VitalsReading,
)
from fleet_tui.core.fleet import AgentSpec, OpenClawAgent
from fleet_tui.core.ids import RunId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.text.untrusted import NOTHING_SAID
from fleet_tui.wire.openclaw import readiness
from fleet_tui.wire.openclaw.agents_list import look_for
from fleet_tui.wire.openclaw.attempt import Attempts, RunsByAttempts
from fleet_tui.wire.openclaw.connection import (
    Connection,
    GatewayRefused,
    GatewayReply,
    GatewayResult,
    Lost,
)
from fleet_tui.wire.openclaw.connector import Connector
from fleet_tui.wire.openclaw.dial import Dial, GatewayFailure
from fleet_tui.wire.openclaw.dialect import lacks_method
from fleet_tui.wire.openclaw.frames import Malformed
from fleet_tui.wire.openclaw.handshake import refusal
from fleet_tui.wire.openclaw.host_vitals import (
    LANES,
    SYSTEM,
    HostVitals,
    Lanes,
    parse_lanes,
    parse_system,
)
from fleet_tui.wire.openclaw.http import HttpAnswer, KeptHttp
from fleet_tui.wire.openclaw.logs import LogTail
from fleet_tui.wire.openclaw.retries import Retries
from fleet_tui.wire.port import KeptRuns
from fleet_tui.wire.ssh.failures import SshFailure
from fleet_tui.wire.words import words_of

DEEP_EVERY_MS = 15_000
"""How often a probe also queries lanes and machine."""

DEEP_MAX_AGE_MS = 60_000
"""Older deep values are not shown next to fresh ones."""

DEEP_CALL_MS = 5_000

ROUNDED_S = 0.1
"""Upper bound of clock drift and rounding between two probes; ages are reported in milliseconds."""

NO_REQUESTS = "it calls itself ready, but requests"
"""Shown for a gateway that is ready but takes no work."""

T = TypeVar("T", Lanes, HostVitals)


class _Deep(msgspec.Struct, frozen=True, kw_only=True):
    """The last answers of the slower half."""

    at_ms: int
    version: str
    boot_id: str
    limits: tuple[Limit, ...] = ()
    lanes: Lanes = Lanes()
    host: HostVitals = HostVitals()
    skew_ms: float | None = None


class OpenClawPort(RunsByAttempts):
    """One gateway. All methods may run side by side."""

    def __init__(
        self,
        agent: AgentSpec,
        *,
        dial: Dial,
        token: Callable[[], Awaitable[str | ProbeFailure]],
        clock: Callable[[], int],
        is_owner: Callable[[], bool],
        why_no_host: Callable[[], SshFailure | None] = lambda: None,
        left: Callable[[], None] = lambda: None,
    ) -> None:
        """``token`` resolves the secret when a connection is made; ``clock`` is epoch ms;
        ``is_owner`` returns whether this engine still owns the ledger, see :mod:`.attempt`;
        ``why_no_host`` returns why the gateway's host cannot be reached, None if it can; ``left``
        is called when the connection to the host is no longer needed here.
        """
        assert isinstance(agent.kind, OpenClawAgent), agent.kind
        self._agent = agent
        self._clock = clock
        self._why_no_host = why_no_host
        self._left = left
        self._http = KeptHttp(dial)
        self._retries = Retries()
        self._line = Connector(
            agent.name, dial=dial, token=token, clock=clock, on_event=self._retries.hear
        )
        self._attempts = Attempts(self._line, agent_id=agent.kind.agent_id, is_owner=is_owner)
        self._known_on: Connection | None = None
        """The connection that was last checked."""
        self._deep: _Deep | None = None
        self._deep_tried_ms: int | None = None
        self._began_by_s: float | None = None
        """The latest possible start of the gateway's process, on the loop's clock; None when it
        does not report its age."""
        self._deepening: asyncio.Task[GatewayFailure | None] | None = None
        self._deep_failure: GatewayFailure | None = None

    async def probe(self) -> VitalsReading | ProbeFailure:
        """Readiness, with the last deep values. See :class:`AgentPort`."""
        timeout_s = self._agent.probe.timeout_ms / 1000
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._http.get(readiness.PATH)
        except TimeoutError:
            return self._failed(self._late())
        latency_ms = (loop.time() - started_s) * 1000
        if isinstance(answer, HttpAnswer):
            answer_or_failure = readiness.parse_readyz(answer.status, answer.body)
        else:
            answer_or_failure = answer
        if isinstance(answer_or_failure, GatewayFailure):
            return self._failed(answer_or_failure)
        self._notice_restart(answer_or_failure.uptime_ms, started_s)
        if answer_or_failure.ready:
            await self._deepen(started_s + timeout_s - loop.time())
            if self._deep_failure is not None and self._deep_failure.kind.is_permanent:
                return self._failed(self._deep_failure)
        return self._reading(answer_or_failure, latency_ms)

    def _notice_restart(self, uptime_ms: float | None, asked_s: float) -> None:
        """A refusal by one process does not apply to another, which may have read another token.

        The process reported its age at some moment between request and answer.
        """
        if uptime_ms is None:
            return
        age_s = uptime_ms / 1000
        known_s = self._began_by_s
        if known_s is not None and asked_s - age_s > known_s + ROUNDED_S:
            self._line.forget_refusal()
        self._began_by_s = asyncio.get_running_loop().time() - age_s

    async def lost(self) -> ProbeFailure:
        """The end of the kept WebSocket. See :class:`AgentPort`."""
        lost = await self._line.lost()
        if (host := self._why_no_host()) is not None:
            return self._failed(GatewayFailure(kind=host.kind, detail=host.detail))
        kind = _ended_as(lost.reason)
        return self._failed(GatewayFailure(kind=kind, detail=lost.detail))

    def _late(self) -> GatewayFailure:
        """What delayed a probe: the gateway, its host, or the path between them."""
        detail = words_of(f"no answer within {self._agent.probe.timeout_ms} ms")
        if self._http.reached:
            return GatewayFailure(kind=FailureKind.GATEWAY_HUNG, detail=detail)
        if (host := self._why_no_host()) is not None:
            return GatewayFailure(kind=host.kind, detail=host.detail)
        return GatewayFailure(kind=FailureKind.TIMEOUT, detail=detail)

    def tail(self) -> AsyncIterator[LogLine | LogGap]:
        """See :class:`AgentPort`. Asks for new lines about once a second."""
        return LogTail(
            self._line, self._agent.name, clock=self._clock, tasks=self._attempts.tasks_by_trace
        ).lines()

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        """Delete the sessions of runs that ended long ago: a gateway keeps them for ever. Their
        cost stays in its accounting."""
        assert isinstance(self._agent.kind, OpenClawAgent)
        return runs if self._agent.kind.keep_sessions else await self._attempts.forget(runs)

    async def kept(self, skip: int) -> KeptRuns | None:
        """Empty where sessions are to be kept. See :class:`AgentPort`."""
        assert isinstance(self._agent.kind, OpenClawAgent)
        return KeptRuns(()) if self._agent.kind.keep_sessions else await self._attempts.kept(skip)

    async def close(self) -> None:
        """Close both channels; anyone who waits gets Unknown."""
        try:
            if self._deepening is not None:
                self._deepening.cancel()
                await asyncio.gather(self._deepening, return_exceptions=True)
            self._http.close()
            await self._line.close()
        finally:
            self._left()

    async def _deepen(self, budget_s: float) -> None:
        """Refresh the deep values when they are due; a slow answer is left for the next probe.

        A gateway takes five seconds to refuse a token, longer than a probe may wait, so the request
        outlives the probe that began it.
        """
        now_ms = self._clock()
        # A lost connection may mean a new process: its boot id must be fetched at once.
        due = (
            self._deep_tried_ms is None
            or now_ms - self._deep_tried_ms >= DEEP_EVERY_MS
            or self._line.open_connection is None
        )
        if self._deepening is None and due:
            self._deep_tried_ms = now_ms
            self._deepening = asyncio.create_task(self._look_deep(), name="openclaw-deep-probe")
        deepening = self._deepening
        if deepening is None:
            return
        await asyncio.wait([deepening], timeout=max(0.0, budget_s))
        if deepening.done() and self._deepening is deepening:
            self._deepening = None
            self._deep_failure = deepening.result()

    async def _look_deep(self) -> GatewayFailure | None:
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return connection
        assert isinstance(self._agent.kind, OpenClawAgent)
        absent = await look_for(connection, self._agent.kind.agent_id)
        if absent is not None:
            return absent
        if connection is not self._known_on:
            self._known_on = connection
            self._retries.clear()  # reports of the previous connection may be outdated
            if self._deep is not None and self._deep.boot_id != connection.hello.server.boot_id:
                self._deep = None  # from another process
        dialect = connection.dialect
        loop = asyncio.get_running_loop()
        asked_ms, asked_s = self._clock(), loop.time()
        lanes: Lanes | GatewayFailure | None = None
        host: HostVitals | GatewayFailure | None = None
        if dialect.lanes:
            reply = await connection.call(LANES, {}, timeout_ms=DEEP_CALL_MS)
            lanes = parsed(reply, parse_lanes)
            dialect = replace(dialect, lanes=_is_there(reply))
        trip_ms = (loop.time() - asked_s) * 1000
        if dialect.system:
            reply = await connection.call(SYSTEM, {}, timeout_ms=DEEP_CALL_MS)
            host = parsed(reply, parse_system)
            dialect = replace(dialect, system=_is_there(reply))
        if isinstance(lanes, GatewayFailure):
            return lanes
        if isinstance(host, GatewayFailure):
            return host
        connection.dialect = dialect
        clock = None if lanes is None else lanes.clock_ms
        self._deep = _Deep(
            at_ms=self._clock(),
            version=connection.hello.server.version,
            boot_id=connection.hello.server.boot_id,
            limits=dialect.limits,
            lanes=lanes or Lanes(),
            host=host or HostVitals(),
            skew_ms=None if clock is None else clock - (asked_ms + trip_ms / 2),
        )
        return None

    def _why_no_rpc(self) -> str:
        """Why a gateway that reports ready would take no work; empty when it would. It takes none
        before its dialect is known."""
        if self._deep_failure is not None:
            return f"{NO_REQUESTS} fail: {self._deep_failure.kind.text}"
        return f"{NO_REQUESTS} are not answered yet" if self._deep is None else ""

    @property
    def _drains(self) -> bool:
        failure = self._deep_failure
        return failure is not None and failure.kind is FailureKind.GATEWAY_DRAINING

    def _failed(self, failure: GatewayFailure) -> ProbeFailure:
        return ProbeFailure(
            agent=self._agent.name,
            observed_at_ms=self._clock(),
            kind=failure.kind,
            detail=failure.detail or NOTHING_SAID,
        )

    def _reading(self, ready: readiness.Readiness, latency_ms: float) -> VitalsReading:
        now_ms = self._clock()
        deep = self._deep
        if deep is not None and now_ms - deep.at_ms > DEEP_MAX_AGE_MS:
            deep = None
        lanes = deep.lanes if deep else Lanes()
        host = deep.host if deep else HostVitals()
        no_rpc = self._why_no_rpc() if ready.ready else ""
        drains = ready.draining or (bool(no_rpc) and self._drains)
        failure = self._deep_failure if no_rpc else None
        return VitalsReading(
            agent=self._agent.name,
            observed_at_ms=now_ms,
            latency_ms=latency_ms,
            ready=ready.ready and not no_rpc,
            draining=drains,
            note=readiness.DRAINS if drains else no_rpc or ready.note,
            said=failure.detail if failure is not None else NOTHING_SAID,
            version=deep.version or None if deep else None,
            boot_id=deep.boot_id or None if deep else None,
            active=lanes.active,
            queued=lanes.queued,
            capacity=lanes.capacity,
            cpu_percent=ready.cpu_percent,
            memory_percent=host.memory_percent,
            rss_bytes=host.rss_bytes,
            disk_free_bytes=host.disk_free_bytes,
            load_average=host.load_average,
            loop_lag_ms_p99=ready.loop_lag_ms_p99,
            clock_skew_ms=deep.skew_ms if deep else None,
            limits=deep.limits if deep else None,
            model_troubles=self._model_troubles(),
        )

    def _model_troubles(self) -> dict[RunId, ModelTrouble] | None:
        """The troubles pushed on the open connection."""
        return self._retries.now() if self._line.open_connection is not None else None


def _is_there(reply: GatewayReply) -> bool:
    """Whether a method may be called again. Only a release without it is final: any other refusal
    may pass."""
    return not (isinstance(reply, GatewayRefused) and lacks_method(reply.error))


def parsed(
    reply: GatewayReply, parse: Callable[[msgspec.Raw], T | Malformed]
) -> T | GatewayFailure | None:
    """The content of an answer, or why no work should be given; None where it has nothing usable
    this time. Missing or unreadable vitals do not prevent work."""
    match reply:
        case GatewayResult(payload=payload):
            found = parse(payload)
            return None if isinstance(found, Malformed) else found
        case GatewayRefused(error=error):
            refused = refusal(error)
            return None if refused.kind is FailureKind.BAD_ANSWER else refused
        case Lost(reason=LostReason.TIMEOUT, detail=detail):
            return GatewayFailure(kind=FailureKind.GATEWAY_HUNG, detail=detail)
        case Lost(reason=reason, detail=detail):
            return GatewayFailure(kind=_ended_as(reason), detail=detail)


def _ended_as(reason: LostReason) -> FailureKind:
    """What the end of a connection shows about its gateway."""
    match reason:
        case LostReason.HUNG:
            return FailureKind.GATEWAY_HUNG
        case LostReason.BAD_ANSWER:
            return FailureKind.BAD_ANSWER
        case (
            LostReason.CONNECTION_LOST
            | LostReason.TIMEOUT
            | LostReason.UNREACHABLE
            | LostReason.REFUSED
            | LostReason.NO_TRACE
            | LostReason.CANNOT_CANCEL
            | LostReason.CANCELLED
        ):
            return FailureKind.GATEWAY_DOWN  # nothing holds the connection open
        case _:
            assert_never(reason)
