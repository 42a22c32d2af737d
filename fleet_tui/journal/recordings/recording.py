"""Portable recordings: ``.fleetrec``, a slice of the ledger as compressed JSON lines.

Line by line: a manifest, the events, the samples, the log lines, and a closing record. Each line is
``{"h": ..., "r": {...}}`` where ``h`` begins the SHA-256 of the hash before it and the bytes of
``r``, so a reader can determine from which record on a file differs from the export. The first
event always carries the folded state. Nothing in a recording can be executed.
"""

import gzip
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from fleet_tui.core.ids import Seq, TaskId
from fleet_tui.core.ledger.events import Recorded, SegmentOpened
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text.redaction import named_without_secrets, shown_names
from fleet_tui.core.text.secret_names import names_secret
from fleet_tui.journal.errors import BadRecording, JournalError
from fleet_tui.journal.ledger.chain import GENESIS
from fleet_tui.journal.ledger.codec import Encoded, decode, encode
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.verifying import PAGE_EVENTS
from fleet_tui.journal.recordings.unpacking import (
    HINT,
    MAX_EXPANDED_BYTES,
    MAX_LINE_BYTES,
    MAX_RECORDS,
)
from fleet_tui.journal.telemetry.logs import LogReader
from fleet_tui.journal.telemetry.samples import END_OF_TIME_MS, SampleReader

RECORDING_FORMAT = 1
SUFFIX = ".fleetrec"
MAX_STATE_BYTES = MAX_LINE_BYTES // 2
"""A larger state drops its oldest closed tasks in a recording until it fits."""

LINK_DIGITS = 16
COMPRESSION = 6
PAGE_ROWS = 5_000

Instant = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Name = Annotated[str, msgspec.Meta(max_length=1_000)]
Redact = Callable[[str], str]

NAMED_BY_PEOPLE = ("labels", "env")
"""Fields of events with names and values written by people."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="manifest"):
    """The description of a recording."""

    format: int
    fleet: str
    version: str
    """Of the program whose engine wrote the events."""
    since_ms: Instant
    until_ms: Instant
    first_seq: Count
    events: Count
    redacted: bool = True


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="event"):
    """One event, as in the ledger."""

    seq: Count
    at_ms: Instant
    epoch: Count
    kind: Name
    v: Count
    body: msgspec.Raw


class SampleRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="sample"):
    """The result of one probe, or a sample of the fleet with an empty agent."""

    at_ms: Instant
    agent: Name
    body: msgspec.Raw


class LineRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="line"):
    """One log line."""

    line: LogLine


class GapRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="gap"):
    """Lines that were lost."""

    gap: LogGap


class Closing(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="end"):
    """The last record; without it a recording is truncated."""

    events: Count
    samples: Count
    lines: Count
    """Lines and gaps."""
    hash: str
    """The whole hash of the chain up to here."""


Record = Manifest | EventRecord | SampleRecord | LineRecord | GapRecord | Closing


class RecordingLine(msgspec.Struct, frozen=True):
    """A line of the file."""

    h: str
    r: msgspec.Raw


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an export."""

    path: Path
    events: int
    samples: int
    lines: int
    bytes: int


def export(
    directory: Path,
    path: Path,
    since_ms: int | None = None,
    until_ms: int | None = None,
    *,
    redact: Redact,
) -> Exported:
    """Write the ledger in ``directory`` between two instants (both included) to ``path``.

    ``redact`` sees every string value (not the names of fields and not map keys). The file is
    complete or absent, readable by its owner only, and replaces an older one. Blocks. Raises
    JournalError when there is nothing to export, BadRecording for a file that could not be opened
    again, OSError when the disk refuses.
    """
    with closing(JournalReader(directory)) as reader:
        first, last = _limits(reader, since_ms, until_ms)
        number, temporary = tempfile.mkstemp(".new", f".{path.name}-", path.parent)  # 0600
        try:
            with os.fdopen(number, "wb") as raw:
                with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as packed:
                    out = _Exporter(packed, redact)
                    out.events(reader, first, last)
                    since = 0 if since_ms is None else since_ms
                    until = END_OF_TIME_MS if until_ms is None else until_ms
                    out.telemetry(directory, since, until)
                    out.close()
                raw.flush()
                os.fsync(raw.fileno())
                size = raw.tell()
            os.replace(temporary, path)
        except BaseException:  # no half-written file stays
            Path(temporary).unlink(missing_ok=True)
            raise
    return Exported(
        path=path,
        events=out.event_count,
        samples=out.sample_count,
        lines=out.line_count,
        bytes=size,
    )


def _limits(reader: JournalReader, since_ms: int | None, until_ms: int | None) -> tuple[Seq, Seq]:
    """The first and last event of the slice."""
    last = reader.last_seq() if until_ms is None else reader.seq_at(until_ms)
    oldest = reader.read(Seq(0), 1)[0].seq
    first = oldest if since_ms is None else max(oldest, Seq(reader.seq_at(since_ms - 1) + 1))
    if last < oldest or last < first - 1:
        raise JournalError("the ledger has no events in that stretch of time")
    return first, last


class _Exporter:
    """Writes records and keeps their chain; not for sharing."""

    def __init__(self, out: BinaryIO | gzip.GzipFile, redact: Redact) -> None:
        self.event_count = 0
        self.sample_count = 0
        self.line_count = 0
        self._out = out
        self._redact = redact
        self._hash = GENESIS
        self._bytes = self._records = 0
        self._encoder = msgspec.json.Encoder()

    def events(self, reader: JournalReader, first: Seq, last: Seq) -> None:
        """The manifest and the events; a slice begins with the state before it."""
        rows = reader.rows(Seq(first - 1), 1)
        opening = None
        if not rows or rows[0].kind != "segment.opened":
            state = reader.load(until_seq=Seq(first - 1))
            opening = Recorded(
                Seq(first - 1), state.at_ms, state.engine.epoch, SegmentOpened(state=state)
            )
        now = reader.load(until_seq=last)
        begin = first if opening is None else Seq(first - 1)
        self._write(
            Manifest(
                format=RECORDING_FORMAT,
                fleet=self._redact(now.fleet.name),
                version=now.engine.version,
                since_ms=opening.at_ms if opening else rows[0].at_ms,
                until_ms=now.at_ms,
                first_seq=begin,
                events=last - begin + 1,
            )
        )
        if opening is not None:
            self._event(opening.seq, opening.at_ms, opening.epoch, encode(opening.event))
        after = Seq(first - 1)
        while after < last and (page := reader.rows(after, min(PAGE_EVENTS, last - after))):
            for row in page:
                self._event(row.seq, row.at_ms, row.epoch, Encoded(row.kind, row.v, row.body, None))
            after = Seq(page[-1].seq)

    def _event(self, seq: int, at_ms: int, epoch: int, event: Encoded) -> None:
        body = event.body
        if event.kind == "segment.opened" and len(body) > MAX_STATE_BYTES:
            body = _smaller(body)
        self._write(
            EventRecord(
                seq=seq,
                at_ms=at_ms,
                epoch=epoch,
                kind=event.kind,
                v=event.v,
                body=self._redacted(body),
            )
        )
        self.event_count += 1

    def telemetry(self, directory: Path, since_ms: int, until_ms: int) -> None:
        """Samples and log lines of the same stretch."""
        with closing(SampleReader(directory)) as samples:
            for at_ms, agent, body in samples.rows(since_ms, until_ms, PAGE_ROWS):
                record = SampleRecord(at_ms=at_ms, agent=agent, body=self._redacted(body))
                self._write(record)
                self.sample_count += 1
        with closing(LogReader(directory)) as logs:
            for line in logs.between(since_ms, until_ms, PAGE_ROWS):
                self._write(self._line(line))
                self.line_count += 1

    def close(self) -> None:
        """The closing record."""
        self._write(
            Closing(
                events=self.event_count,
                samples=self.sample_count,
                lines=self.line_count,
                hash=self._hash.hex(),
            )
        )

    def _line(self, line: LogLine | LogGap) -> LineRecord | GapRecord:
        packed = self._redacted(self._encoder.encode(line))
        if isinstance(line, LogGap):
            return GapRecord(gap=msgspec.json.decode(packed, type=LogGap))
        return LineRecord(line=msgspec.json.decode(packed, type=LogLine))

    def _redacted(self, body: bytes) -> msgspec.Raw:
        value = msgspec.json.decode(body)
        clean = redacted(value, self._redact)
        return msgspec.Raw(body if clean == value else self._encoder.encode(clean))

    def _write(self, record: Record) -> None:
        content = self._encoder.encode(record)
        if len(content) > MAX_LINE_BYTES - 100:
            what = f"event {record.seq}" if isinstance(record, EventRecord) else "a record"
            raise BadRecording(f"{what} is too large for a recording ({len(content)} bytes)")
        self._hash = sha256(self._hash + content).digest()
        line = RecordingLine(self._hash.hex()[:LINK_DIGITS], msgspec.Raw(content))
        packed = self._encoder.encode(line) + b"\n"
        self._bytes += len(packed)
        self._records += 1
        if self._bytes > MAX_EXPANDED_BYTES or self._records > MAX_RECORDS:
            raise BadRecording(
                f"it would be too large to be opened: at most {MAX_RECORDS:,} records and "
                f"{MAX_EXPANDED_BYTES:,} bytes before they are compressed",
                hint=HINT,
            )
        self._out.write(packed)


def redacted(value: object, redact: Redact) -> object:
    """JSON as stored in a recording: values that look like secrets or are named as such are
    removed."""
    match value:
        case str():
            return redact(value)
        case list():
            return [redacted(item, redact) for item in value]
        case dict():
            names = shown_names(value, redact)
            return {
                name: _redacted_as(key, item, redact)
                for name, (key, item) in zip(names, value.items(), strict=True)
            }
        case _:  # numbers, booleans and null contain no text
            return value


def _redacted_as(name: str, value: object, redact: Redact) -> object:
    """A value with its name, which may mark it as a secret: a field's, or one that people gave to a
    label or a variable."""
    match value:
        case str() if names_secret(name):
            return redact(named_without_secrets(name, value))
        case dict() if name in NAMED_BY_PEOPLE:
            named = {
                key: named_without_secrets(key, item) if isinstance(item, str) else item
                for key, item in value.items()
            }
            return redacted(named, redact)
        case _:  # the name does not decide
            return redacted(value, redact)


def _smaller(body: bytes) -> bytes:
    event = decode("segment.opened", 1, body)
    assert isinstance(event, SegmentOpened)
    state: FleetState = event.state
    while len(body) > MAX_STATE_BYTES and state.ended_count:
        state = msgspec.structs.replace(
            state,
            closed_tasks=_newer_half(state.closed_tasks),
            dead_letters=_newer_half(state.dead_letters),
            unheard_tasks=_newer_half(state.unheard_tasks),
        )
        body = encode(SegmentOpened(state=state)).body
    return body


def _newer_half(tasks: dict[TaskId, Task]) -> dict[TaskId, Task]:
    return dict(list(tasks.items())[(len(tasks) + 1) // 2 :])
