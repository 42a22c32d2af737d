"""One authenticated connection to a gateway: requests with answers and final results.

Nothing here raises for what gateways and networks do. A request ends in :class:`GatewayResult`,
:class:`GatewayRefused` or :class:`Lost`; the connection never reconnects itself, and nothing is
ever sent twice.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.numbers import finite
from fleet_tui.wire.openclaw.dial import ByteChannel, Dial, GatewayFailure
from fleet_tui.wire.openclaw.dialect import TRACED, TRACEPARENT, Dialect, Question, learn
from fleet_tui.wire.openclaw.frames import (
    Challenge,
    ErrorShape,
    GatewayFrame,
    GatewayHello,
    Malformed,
    Shutdown,
    decode,
    read_hello,
)
from fleet_tui.wire.openclaw.handshake import (
    POLICY_VIOLATION,
    check_hello,
    connect_params,
    refusal,
    upgrade_refusal,
)
from fleet_tui.wire.openclaw.stream import MessageStream, NotWebSocket
from fleet_tui.wire.words import words_of

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_MS = 12_000
"""A wrong token is answered after up to five seconds; a shorter wait would call that a timeout."""

MAX_PENDING = 1_024
"""Requests that may wait for an answer on one connection. One more ends it."""

SILENT_TICKS = 3
"""Ticks without a sign of life after which the gateway counts as hung."""

MIN_SILENCE_MS, MAX_SILENCE_MS = 15_000, 120_000
"""Bounds of that silence, whatever interval the gateway announces."""


class GatewayResult(msgspec.Struct, frozen=True):
    """The gateway carried out the request; ``payload`` is still undecoded."""

    payload: msgspec.Raw


class GatewayRefused(msgspec.Struct, frozen=True):
    """The gateway refused the request, or reported that its run failed."""

    error: ErrorShape
    payload: msgspec.Raw


class Lost(msgspec.Struct, frozen=True):
    """No answer. Whether the request arrived is unknown."""

    reason: LostReason
    detail: Untrusted = NOTHING_SAID


GatewayReply = GatewayResult | GatewayRefused | Lost


class _Pending:
    """A pending request. ``result`` is used only for requests answered in two steps."""

    def __init__(self, *, two_steps: bool) -> None:
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[GatewayReply] = loop.create_future()
        self.result: asyncio.Future[GatewayReply] | None = (
            loop.create_future() if two_steps else None
        )

    def resolve(self, reply: GatewayReply, *, last: bool) -> None:
        """Pass the reply to the waiting caller; ``last`` when no other can follow."""
        if not self.answer.done():
            self.answer.set_result(reply)
        if last and self.result is not None and not self.result.done():
            self.result.set_result(reply)


class Promised(NamedTuple):
    """A request that is answered in two steps, and its final answer, which is never an
    exception."""

    request_id: str
    result: asyncio.Future[GatewayReply]


class Messages(Protocol):
    """The interface of a :class:`~fleet_tui.wire.openclaw.stream.MessageStream` that is used."""

    @property
    def close_reason(self) -> str:
        """The reason given while closing; untrusted."""
        ...

    async def receive(self) -> bytes | None:
        """The next message, None at the end. Raises OSError when the channel is lost."""
        ...

    async def send(self, message: bytes) -> None:
        """Send one message. Raises OSError when the channel is lost or closing."""
        ...

    def close(self) -> None:
        """Close at once."""
        ...


class Connection:
    """A connection after the hello. Made by :func:`connect`."""

    dialect: Dialect
    """What may be sent, once :meth:`learn_dialect` has determined it."""

    def __init__(
        self,
        stream: Messages,
        hello: GatewayHello,
        on_event: Callable[[GatewayFrame], None],
        *,
        booted_at_ms: float | None = None,
    ) -> None:
        self.hello = hello
        self.booted_at_ms = booted_at_ms
        """When the gateway's process started, on its own clock; None when it does not report it."""
        self.lost: Lost | None = None
        """Why the connection ended, once it has."""
        self.ended = asyncio.Event()
        """Set once ``lost`` is."""
        self.opened_at_s = asyncio.get_running_loop().time()
        """When it was opened, on the event loop's clock."""
        self._stream = stream
        self._on_event = on_event
        self._pending: dict[str, _Pending] = {}
        self._next_id = 1
        self._farewell = ""
        self._reader = asyncio.create_task(self._read(), name="openclaw-reader")

    async def call(
        self, method: str, params: dict[str, object], *, timeout_ms: int
    ) -> GatewayReply:
        """Send a request and wait for the answer at most that long."""
        request_id, pending = self._register(two_steps=False)
        return await self._ask(request_id, pending, method, params, {}, timeout_ms)

    async def call_for_result(
        self, method: str, params: dict[str, object], *, traceparent: str | None, timeout_ms: int
    ) -> tuple[GatewayReply, Promised]:
        """Send a long-running request: returns the first answer, and the final one, which exists
        even when the first is a refusal. A caller that does not wait for it has to :meth:`forget`
        it."""
        request_id, pending = self._register(two_steps=True)
        assert pending.result is not None
        extra = {} if traceparent is None else {"traceparent": traceparent}
        reply = await self._ask(request_id, pending, method, params, extra, timeout_ms)
        return reply, Promised(request_id, pending.result)

    def forget(self, promised: Promised) -> None:
        """Stop waiting for a final answer, which may never come; anyone who waits gets Lost."""
        pending = self._pending.pop(promised.request_id, None)
        if pending is not None:
            pending.resolve(Lost(LostReason.CANCELLED, Untrusted("not waited for")), last=True)

    async def learn_dialect(self, known: Dialect | None) -> GatewayFailure | None:
        """Determine what may be sent; None once that is known. ``known`` is the dialect of an
        earlier connection, reused if the version is the same."""
        if known is None or known.version != self.hello.server.version:
            learned = await learn(self.hello, self._objection)
            if isinstance(learned, GatewayFailure):
                return learned
            known = learned
        self.dialect = known
        return None

    async def _objection(self, question: Question) -> ErrorShape | GatewayFailure:
        """How the gateway refuses a request that cannot be acted on."""
        request_id, pending = self._register(two_steps=False)
        extra = {"traceparent": TRACEPARENT} if question is TRACED else {}
        method, params = question.method, question.params
        reply = await self._ask(request_id, pending, method, params, extra, CONNECT_TIMEOUT_MS)
        match reply:
            case GatewayRefused(error=error):
                return error
            case Lost(reason=LostReason.TIMEOUT | LostReason.HUNG, detail=detail):
                return GatewayFailure(kind=FailureKind.GATEWAY_HUNG, detail=detail)
            case Lost(detail=detail):
                return GatewayFailure(kind=FailureKind.GATEWAY_DOWN, detail=detail)
            case GatewayResult():
                taken = words_of(f"it took a {method} request that means nothing")
                return GatewayFailure(kind=FailureKind.BAD_ANSWER, detail=taken)

    async def close(self) -> None:
        """Close at once; anyone who waits gets Lost."""
        self._end(Lost(LostReason.CANCELLED, Untrusted("closed here")))
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def _register(self, *, two_steps: bool) -> tuple[str, _Pending]:
        request_id, pending = str(self._next_id), _Pending(two_steps=two_steps)
        self._next_id += 1
        if len(self._pending) >= MAX_PENDING:
            # A gateway that leaves this many unanswered hangs; on another connection it may not.
            full = words_of(f"{MAX_PENDING} requests wait for an answer")
            self._end(Lost(LostReason.HUNG, full))
        if self.lost is not None:
            pending.resolve(self.lost, last=True)
        else:
            self._pending[request_id] = pending
        return request_id, pending

    async def _ask(
        self,
        request_id: str,
        pending: _Pending,
        method: str,
        params: dict[str, object],
        extra: dict[str, str],
        timeout_ms: int,
    ) -> GatewayReply:
        if pending.answer.done():
            return pending.answer.result()
        request = {"type": "req", "id": request_id, "method": method, "params": params, **extra}
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._stream.send(msgspec.json.encode(request))
                return await asyncio.shield(pending.answer)
        except TimeoutError:
            timed_out = words_of(f"no answer to {method} within {timeout_ms} ms")
            reply = Lost(LostReason.TIMEOUT, timed_out)
            if pending.result is None:
                self._pending.pop(request_id, None)
            return reply
        except OSError as error:
            self._end(Lost(LostReason.CONNECTION_LOST, words_of(str(error))))
            return pending.answer.result()
        except asyncio.CancelledError:
            self._pending.pop(request_id, None)
            raise

    async def _read(self) -> None:
        """Read messages until the connection ends, then resolve all pending requests."""
        silence_s = _silence_ms(self.hello.policy.tick_interval_ms) / 1000
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    message = await self._stream.receive()
                if message is None:
                    return self._end(Lost(LostReason.CONNECTION_LOST, self._how_closed()))
                frame = decode(message, GatewayFrame)
                if isinstance(frame, Malformed):
                    return self._end(Lost(LostReason.BAD_ANSWER, words_of(frame.problem)))
                self._take(frame)
        except TimeoutError:
            self._end(Lost(LostReason.HUNG, words_of(f"no sign of life for {silence_s:.0f} s")))
        except OSError as error:
            self._end(
                Lost(
                    LostReason.CONNECTION_LOST,
                    words_of(str(error)) if str(error) else self._how_closed(),
                )
            )
        except Exception as error:  # a bug: no caller may wait for answers that are not read
            log.exception("reading from a gateway failed")
            self._end(Lost(LostReason.BAD_ANSWER, words_of(type(error).__name__)))

    def _how_closed(self) -> Untrusted:
        """Our own text, with the gateway's reason."""
        said = self._stream.close_reason or self._farewell
        return words_of(f"connection closed: {said}" if said else "connection closed")

    def _take(self, frame: GatewayFrame) -> None:
        if frame.type == "event":
            if frame.event == "shutdown":
                shutdown = decode(frame.payload, Shutdown)
                self._farewell = shutdown.reason if isinstance(shutdown, Shutdown) else ""
            self._on_event(frame)
            return
        pending = self._pending.get(frame.id)
        if frame.type != "res" or pending is None:
            return
        reply: GatewayReply = GatewayResult(frame.payload)
        if not frame.ok:
            reply = GatewayRefused(frame.error or ErrorShape(), frame.payload)
        last = pending.result is None or pending.answer.done() or not frame.ok
        pending.resolve(reply, last=last)
        if last:
            del self._pending[frame.id]

    def _end(self, lost: Lost) -> None:
        if self.lost is not None:
            return
        self.lost = lost
        self.ended.set()
        self._stream.close()
        for pending in self._pending.values():
            pending.resolve(lost, last=True)
        self._pending.clear()


def _silence_ms(tick_interval_ms: float) -> float:
    return min(MAX_SILENCE_MS, max(MIN_SILENCE_MS, SILENT_TICKS * tick_interval_ms))


async def connect(
    dial: Dial,
    token: str,
    *,
    on_event: Callable[[GatewayFrame], None] = lambda _frame: None,
    timeout_ms: int = CONNECT_TIMEOUT_MS,
) -> Connection | GatewayFailure:
    """Open a channel, upgrade it and introduce ourselves. One try."""
    channel: ByteChannel | GatewayFailure | None = None
    connection: Connection | None = None
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            channel = await dial()
            if isinstance(channel, GatewayFailure):
                return channel
            stream = MessageStream(channel)
            greeted = await _introduce(stream, token)
            if isinstance(greeted, GatewayFailure):
                return greeted
            hello, booted_at_ms = greeted
            connection = Connection(stream, hello, on_event, booted_at_ms=booted_at_ms)
            return connection
    except TimeoutError:
        kind = FailureKind.TIMEOUT if channel is None else FailureKind.GATEWAY_HUNG
        return GatewayFailure(kind=kind, detail=words_of(f"no answer within {timeout_ms} ms"))
    except NotWebSocket as error:
        return upgrade_refusal(error)
    except OSError as error:
        return GatewayFailure(kind=FailureKind.GATEWAY_DOWN, detail=words_of(str(error)))
    finally:
        if connection is None and channel is not None and not isinstance(channel, GatewayFailure):
            channel.close()


class _Greeted(NamedTuple):
    """A hello, and when the process that sent it started (see :class:`Connection`)."""

    hello: GatewayHello
    booted_at_ms: float | None


async def _introduce(stream: MessageStream, token: str) -> _Greeted | GatewayFailure:
    """Upgrade, wait for the challenge, send ``connect`` and judge the answer."""
    await stream.open()
    request: dict[str, object] = {
        "type": "req",
        "id": "connect",
        "method": "connect",
        "params": connect_params(token),
    }
    challenge: Challenge | None = None
    while (message := await stream.receive()) is not None:
        frame = decode(message, GatewayFrame)
        if isinstance(frame, Malformed):
            return _nonsense(frame)
        if frame.type == "event" and frame.event == "connect.challenge" and challenge is None:
            said = decode(frame.payload, Challenge)
            challenge = said if isinstance(said, Challenge) else Challenge()
            await stream.send(msgspec.json.encode(request))
        elif frame.type == "res" and frame.id == "connect":
            if not frame.ok:
                return refusal(frame.error or ErrorShape())
            hello = read_hello(frame.payload)
            if isinstance(hello, Malformed):
                return _nonsense(hello)
            return check_hello(hello) or _Greeted(hello, _booted_at_ms(challenge, hello))
    if stream.close_code == POLICY_VIOLATION:
        return GatewayFailure(kind=FailureKind.GATEWAY_AUTH, detail=words_of(stream.close_reason))
    return GatewayFailure(
        kind=FailureKind.GATEWAY_DOWN,
        detail=words_of(stream.close_reason or "closed during the handshake"),
    )


def _booted_at_ms(challenge: Challenge | None, hello: GatewayHello) -> float | None:
    """By the gateway's clock, slightly early: its age is reported after the time of its
    challenge."""
    now_ms = finite(challenge.ts) if challenge is not None else None
    age_ms = finite(hello.snapshot.uptime_ms)
    return None if now_ms is None or age_ms is None else now_ms - age_ms


def _nonsense(malformed: Malformed) -> GatewayFailure:
    return GatewayFailure(kind=FailureKind.BAD_ANSWER, detail=words_of(malformed.problem))
