"""A gateway's log, followed by ``logs.tail`` with a byte cursor.

The cursor belongs to the file, so nothing is missed while the connection is down; where the gateway
itself skips bytes (too many at once, a rotated file) the gap is reported. Lines are JSON; other
lines are kept as received.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

import msgspec

from fleet_tui.base.redact import LineRedactor
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.framing import frame_line
from fleet_tui.wire.levels import read_level
from fleet_tui.wire.numbers import count
from fleet_tui.wire.openclaw.connection import GatewayResult
from fleet_tui.wire.openclaw.connector import Connector
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.frames import Malformed, decode

POLL_S = 1.5
"""Pause between two requests."""

RETRY_S = 5.0
"""Pause after a failed one."""

MAX_LINES, MAX_BYTES = 5_000, 1_000_000
"""The most that a gateway returns at once."""

CALL_MS = 10_000

BELIEVABLE_MS = 7 * 24 * 3_600_000
"""A line's own timestamp that differs more than this from our clock is not shown."""

MAX_SUBSYSTEM_CHARS = 60


class Tail(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Answer of ``logs.tail``."""

    cursor: int
    lines: list[str] = []
    truncated: bool = False
    reset: bool = False
    skipped_bytes: int | None = None


class _LineMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    log_level_name: str = ""
    name: str = ""


class _JsonLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    message: str
    time: str = ""
    trace_id: str = ""
    meta: _LineMeta = msgspec.field(default=_LineMeta(), name="_meta")


class _Subsystem(msgspec.Struct, frozen=True):
    subsystem: str


_LEVELS = {
    "SILLY": Level.TRACE,
    "TRACE": Level.TRACE,
    "DEBUG": Level.DEBUG,
    "INFO": Level.INFO,
    "WARN": Level.WARN,
    "ERROR": Level.ERROR,
    "FATAL": Level.ERROR,
}


def parse_line(
    line: str,
    *,
    source: AgentName,
    received_at_ms: int,
    tasks: Mapping[str, TaskId],
    redactor: LineRedactor,
) -> LogLine:
    """One line of the log file, redacted and cut; ``tasks`` maps trace ids to tasks, ``redactor``
    has seen the previous lines, in which a private key may have begun."""
    said = decode(line.encode("utf-8", "surrogatepass"), _JsonLine)
    if isinstance(said, Malformed):
        return LogLine(
            received_at_ms=received_at_ms,
            source=source,
            level=read_level(line),
            text=_text(line, redactor),
        )
    written = _epoch_ms(said.time)
    if written is not None and abs(written - received_at_ms) > BELIEVABLE_MS:
        written = None
    return LogLine(
        received_at_ms=received_at_ms,
        source=source,
        level=_LEVELS.get(said.meta.log_level_name.upper()) or read_level(said.message),
        text=_text(_subsystem(said.meta.name) + said.message, redactor),
        task=tasks.get(said.trace_id),
        written_at_ms=written,
    )


def gap_of(tail: Tail, *, source: AgentName, received_at_ms: int) -> LogGap | None:
    """The gap that a gateway's answer leaves, or None. Only meaningful when a cursor was given."""
    if not tail.reset and not tail.truncated:
        return None
    skipped = tail.skipped_bytes
    reason = "too many lines at once" if skipped is not None else "the log file was replaced"
    if not tail.reset:
        reason = "too many lines at once"
    return LogGap(received_at_ms=received_at_ms, source=source, reason=reason, bytes=count(skipped))


class LogTail:
    """Follows one gateway's log from now on."""

    def __init__(
        self,
        line: Connector,
        source: AgentName,
        *,
        clock: Callable[[], int],
        tasks: Mapping[str, TaskId],
    ) -> None:
        self._line = line
        self._source = source
        self._clock = clock
        self._tasks = tasks
        self._cursor: int | None = None
        self._redactor = LineRedactor()

    async def lines(self) -> AsyncIterator[LogLine | LogGap]:
        """Lines and gaps in the order of the file, for ever."""
        while True:
            tail = await self._ask()
            if tail is None:
                await asyncio.sleep(RETRY_S)
                continue
            first = self._cursor is None
            self._cursor = tail.cursor
            if not first:
                now_ms = self._clock()
                gap = gap_of(tail, source=self._source, received_at_ms=now_ms)
                if gap is not None:
                    yield gap
                for raw in tail.lines:
                    yield parse_line(
                        raw,
                        source=self._source,
                        received_at_ms=now_ms,
                        tasks=self._tasks,
                        redactor=self._redactor,
                    )
            await asyncio.sleep(POLL_S)

    async def _ask(self) -> Tail | None:
        """Lines since the cursor; the first request only fetches the cursor."""
        connection = await self._line.connection()
        if isinstance(connection, GatewayFailure):
            return None
        params: dict[str, object] = {"limit": 1, "maxBytes": 1_000}
        if self._cursor is not None:
            params = {"cursor": self._cursor, "limit": MAX_LINES, "maxBytes": MAX_BYTES}
        reply = await connection.call("logs.tail", params, timeout_ms=CALL_MS)
        if not isinstance(reply, GatewayResult):
            return None
        tail = decode(reply.payload, Tail)
        if isinstance(tail, Malformed) or count(tail.cursor) is None:
            return None
        return tail


def _text(text: str, redactor: LineRedactor) -> Untrusted:
    """Redacted first, because a cut secret is no longer recognised."""
    kept = redactor.redact(text)
    if kept is None:
        kept = "[redacted:private-key]"
    return Untrusted(frame_line(kept.encode("utf-8", "backslashreplace")))


def _subsystem(name: str) -> str:
    """``[gateway/ws] `` from the logger's name, which is JSON inside a string."""
    said = decode(name.encode("utf-8", "surrogatepass"), _Subsystem)
    if isinstance(said, Malformed) or not said.subsystem:
        return ""
    return f"[{said.subsystem[:MAX_SUBSYSTEM_CHARS]}] "


def _epoch_ms(time: str) -> int | None:
    try:
        moment = datetime.fromisoformat(time)
        return None if moment.tzinfo is None else int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
