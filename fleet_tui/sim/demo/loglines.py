"""What a simulated agent writes into its log, in the shape OpenClaw 2026.9.6 writes it.

One JSON document per line; a line that belongs to a run carries the trace id that came with the
request, so that a reader can tell which task it is about.
"""

from collections import deque
from datetime import UTC, datetime

import msgspec

MAX_FILE_BYTES = 4_000_000
"""Older lines are dropped when the file would grow beyond; byte positions go on counting."""

DEFAULT_TAIL_BYTES = 250_000
DEFAULT_TAIL_LINES = 5_000

_LEVEL_IDS = {"DEBUG": 2, "INFO": 3, "WARN": 4, "ERROR": 5}


class Trace(msgspec.Struct, frozen=True):
    """The part of a W3C ``traceparent`` that log lines repeat."""

    trace_id: str
    parent_span_id: str
    span_id: str

    @classmethod
    def parse(cls, header: str, span_id: str) -> "Trace | None":
        """The trace of ``00-<32 hex>-<16 hex>-<flags>``; None for anything else."""
        parts = header.split("-")
        if len(parts) != 4 or (len(parts[1]), len(parts[2])) != (32, 16):
            return None
        return cls(parts[1], parts[2], span_id)


def log_line(
    at_ms: int, host: str, level: str, subsystem: str, message: str, trace: Trace | None = None
) -> str:
    """One line without its line feed. ``level`` is DEBUG, INFO, WARN or ERROR."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    name = msgspec.json.encode({"subsystem": subsystem}).decode()
    line: dict[str, object] = {
        "0": name,
        "1": message,
        "_meta": {
            "runtime": "node",
            "runtimeVersion": "24.21.0",
            "hostname": host,
            "date": at.replace("+00:00", "Z"),
            "logLevelId": _LEVEL_IDS[level],
            "logLevelName": level,
            "name": name,
            "parentNames": ["openclaw"],
        },
        "time": at,
        "hostname": host,
        "message": message,
    }
    if trace is not None:
        line["traceId"] = trace.trace_id
        line["spanId"] = trace.span_id
        line["parentSpanId"] = trace.parent_span_id
        line["traceFlags"] = "01"
    return msgspec.json.encode(line).decode()


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """An answer to "what is new since byte ``cursor``"."""

    cursor: int
    size: int
    lines: list[str]
    truncated: bool
    reset: bool
    skipped_bytes: int | None = None


class LogFile:
    """A log file as its tail is read: lines at byte positions, the oldest dropped."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque()
        self._first = 0
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def append(self, line: str) -> None:
        """Write one line."""
        self._lines.append((self._size, line))
        self._size += len(line.encode()) + 1
        while self._size - self._first > MAX_FILE_BYTES:
            self._lines.popleft()
            self._first = self._lines[0][0] if self._lines else self._size

    def rotate(self) -> None:
        """Begin an empty file under the same name, as log rotation does."""
        self._lines.clear()
        self._first = self._size = 0

    def tail(
        self,
        cursor: int | None,
        *,
        limit: int = DEFAULT_TAIL_LINES,
        max_bytes: int = DEFAULT_TAIL_BYTES,
    ) -> Tail:
        """Lines from ``cursor`` on; see ``logs.tail`` of OpenClaw for the meaning of the marks.

        A gap larger than ``max_bytes`` gives the end only, with ``reset`` and the bytes skipped; a
        cursor beyond the end means another file, which is read from its end again.
        """
        earliest = max(self._first, self._size - max_bytes)
        foreign = cursor is not None and cursor > self._size
        start = earliest if cursor is None or foreign else max(cursor, earliest)
        skipped = start - cursor if cursor is not None and not foreign else 0
        found = [(at, line) for at, line in self._lines if at >= start]
        truncated = (cursor is None or foreign) and earliest > 0
        return Tail(
            cursor=self._size,
            size=self._size,
            lines=[line for _, line in found[-limit:]],
            truncated=truncated or skipped > 0 or len(found) > limit,
            reset=foreign or skipped > 0,
            skipped_bytes=skipped or None,
        )
