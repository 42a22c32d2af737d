"""Opens a recording: imports it into a private cache, a journal directory like any other.

A recording may come from anywhere, so nothing in it is trusted: lines, records, bytes, memory and
time are bounded, the chain is checked, and an event that is unreadable or inconsistent with the
others is kept as unknown. A damaged recording opens anyway and reports from which record on it is
damaged. An unfinished import is removed, at the latest when the next one is opened.
"""

import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import assert_never

import msgspec
import psutil

from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.ledger.events import Recorded, UnknownEvent, task_of
from fleet_tui.core.ledger.fold import Folding, fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import MAX_LINE_CHARS
from fleet_tui.journal.directory import create_private, prepare
from fleet_tui.journal.errors import BadRecording, JournalTooNew
from fleet_tui.journal.ledger.chain import GENESIS, Head, link, write_head
from fleet_tui.journal.ledger.codec import decode_leniently
from fleet_tui.journal.ledger.segments import EventRow, create_database, segment_path
from fleet_tui.journal.ledger.snapshots import SNAPSHOT_EVERY, snapshot_path, write_snapshot
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.recordings.recording import (
    LINK_DIGITS,
    RECORDING_FORMAT,
    Closing,
    EventRecord,
    GapRecord,
    LineRecord,
    Manifest,
    Record,
    RecordingLine,
    SampleRecord,
)
from fleet_tui.journal.recordings.unpacking import (
    HINT,
    MAGIC,
    MAX_EXPANDED_BYTES,
    MAX_FILE_BYTES,
    MAX_RECORDS,
    Cut,
    Unpacked,
    open_packed,
)
from fleet_tui.journal.telemetry.logs import LogConnection, line_row
from fleet_tui.journal.telemetry.rolling import RollingConnection, RollingRow

MAX_BAD_LINES = 1_000
"""Lines that are not records; after more of them reading stops, and a file that begins with them is
not a recording."""
MAX_MISFITS = 100
"""Inconsistent events; beyond this many, nothing more is folded."""
MAX_MEMORY_BYTES = 1024 * 1024 * 1024
"""Memory that opening a recording may add to the process, mostly for tasks open at one time."""
KEEP_FREE_BYTES = 64 * 1024 * 1024
"""Free space to leave on the cache's disk."""
MAX_CACHED_RECORDINGS = 32
BATCH = 5_000
BATCH_BYTES = 8 * 1024 * 1024
"""Records are stored in batches of at most this many records or bytes."""
MAX_TEXT_CHARS = 2 * MAX_LINE_CHARS
"""Of a log line. The engine cuts them at MAX_LINE_CHARS; redacting may lengthen them."""
NOT_UNDERSTOOD = 2**31 - 1
"""The version given to an event that does not fold, so that every reader keeps it as unknown."""

_UNFINISHED = ".new"
VERDICT_NAME = "recording.json"
_SQLITE_MAGIC = b"SQLite format 3\x00"

_line_decoder = msgspec.json.Decoder(RecordingLine)
_record_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


class ImportedRecording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that is ready for reading."""

    directory: str
    """The directory of its journal; for readers only."""
    manifest: Manifest
    events: int
    samples: int
    lines: int
    skipped: int = 0
    """Records of kinds this version does not know."""
    bad_record: int | None = None
    """Damaged from this record on (the manifest is record 1); None when it is intact."""
    reason: str = ""
    """The fault from there on."""
    files: dict[str, int] = {}
    """Its files and their sizes: a deletion may have been interrupted half-way."""

    @property
    def intact(self) -> bool:
        """Whether it is complete and unchanged since the export."""
        return self.bad_record is None


def import_recording(path: Path, cache_dir: Path) -> ImportedRecording:
    """Make the recording readable and check whether it is intact; at once if it was opened before.

    Blocks. Raises BadRecording when the file is no recording or breaks a cap, JournalTooNew when a
    newer version wrote it, UnsafeDirectory for the cache.
    """
    prepare(cache_dir)
    with _told(path, cache_dir):
        key = _digest(path)
        target = cache_dir / key
        known = _known(target)
        if known is not None:
            os.utime(target)
            _tidy(cache_dir)
            return known
        with _building(cache_dir, key) as building:
            imported = _build(path, building, target)
            with _locked(cache_dir):
                if _known(target) is None:  # unless another process was faster
                    _discard(target)  # one that was partly deleted
                    building.rename(target)
        _evict(cache_dir)
        return imported


def check_recording(path: Path, cache_dir: Path) -> ImportedRecording:
    """Like :func:`import_recording`, but ignores the cache and keeps nothing: returns only the
    findings."""
    prepare(cache_dir)
    with _told(path, cache_dir):
        key = _digest(path)
        with _building(cache_dir, key) as building:
            return _build(path, building, building)


@contextmanager
def _told(path: Path, cache_dir: Path) -> Iterator[None]:
    """Turns any error into a BadRecording that names the file."""
    cannot = f"cannot open the recording {path}"
    try:
        yield
    except OSError as error:
        raise BadRecording(f"{cannot}: {error.strerror}") from error
    except sqlite3.Error as error:  # the cache's disk is full, most likely
        raise BadRecording(f"{cannot}: {cache_dir}: {error}") from error
    except MemoryError as error:
        raise BadRecording(f"{cannot}: there is not enough memory", hint=HINT) from error


@contextmanager
def _building(cache_dir: Path, key: str) -> Iterator[Path]:
    """A directory of this process that is removed afterwards, unless it was renamed. Leftovers of
    killed processes are removed; a locked directory belongs to a running process."""
    _tidy(cache_dir)
    with ExitStack() as stack:
        with _locked(cache_dir):
            building = Path(tempfile.mkdtemp(_UNFINISHED, f"{key}-", cache_dir))  # 0700
            stack.callback(shutil.rmtree, building, ignore_errors=True)
            stack.enter_context(_locked(building))
        yield building


@contextmanager
def _locked(directory: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        os.close(file)


def _tidy(cache_dir: Path) -> None:
    """Remove leftovers of killed processes."""
    with _locked(cache_dir):
        for left in cache_dir.glob(f"*{_UNFINISHED}"):
            with suppress(OSError), _locked(left, fcntl.LOCK_EX | fcntl.LOCK_NB):
                shutil.rmtree(left, ignore_errors=True)


def _discard(directory: Path) -> None:
    """Remove a directory, renaming it first: a process that is killed meanwhile leaves nothing that
    looks complete. Open files can still be read."""
    if directory.exists():
        gone = Path(tempfile.mkdtemp(_UNFINISHED, f"{directory.name}-", directory.parent))
        directory.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def read_manifest(path: Path) -> Manifest | None:
    """The manifest of a recording, without reading the rest; None for anything else."""
    try:
        with closing(Unpacked(path, max_bytes=MAX_EXPANDED_BYTES).lines()) as lines:
            line = next(lines, b"")
        return msgspec.json.decode(msgspec.json.decode(line, type=RecordingLine).r, type=Manifest)
    except (OSError, Cut, BadRecording, ValueError, RecursionError):
        return None


def _digest(path: Path) -> str:
    digest = sha256()
    with open_packed(path) as file:
        start = file.read(len(_SQLITE_MAGIC))
        if start == _SQLITE_MAGIC:
            raise BadRecording(f"{path} is a database, not a recording; only .fleetrec is opened")
        if not start.startswith(MAGIC):
            raise BadRecording(f"{path} is not a recording: it is not compressed JSON lines")
        size = max(os.fstat(file.fileno()).st_size, len(start))
        digest.update(start)
        while size <= MAX_FILE_BYTES and (block := file.read(1 << 20)):
            digest.update(block)
            size = max(size, file.tell())
        if size > MAX_FILE_BYTES:
            raise BadRecording(
                f"{path} is too large to open: it has more than {MAX_FILE_BYTES:,} bytes", hint=HINT
            )
    return digest.hexdigest()[:32]


def _known(target: Path) -> ImportedRecording | None:
    """The result of an earlier import; None where there is none, or it is no longer complete."""
    try:
        text = (target / VERDICT_NAME).read_bytes()
        found = msgspec.json.decode(text, type=ImportedRecording)
    except (OSError, ValueError):
        return None
    return found if found.files and found.files == _files(target) else None


def _files(directory: Path) -> dict[str, int]:
    """The files of a journal that is not being written, and their sizes."""
    found = (p for p in directory.iterdir() if p.name != VERDICT_NAME and p.suffix != ".lock")
    return {p.name: p.stat().st_size for p in found if not p.name.endswith(("-wal", "-shm"))}


def _evict(cache_dir: Path) -> None:
    """Remove the recordings that were opened longest ago and are not in use; nothing else in the
    directory is ours."""
    with _locked(cache_dir):
        ours = (p for p in cache_dir.iterdir() if p.is_dir() and (p / VERDICT_NAME).is_file())
        kept = sorted(ours, key=lambda p: p.stat().st_mtime)
        for old in kept[:-MAX_CACHED_RECORDINGS]:
            with suppress(BlockingIOError), _locked(old, fcntl.LOCK_EX | fcntl.LOCK_NB):
                _discard(old)


def _build(path: Path, building: Path, target: Path) -> ImportedRecording:
    source = _Source(path)
    room = _Room(path, building, source)
    room.check()
    with ExitStack() as stack:
        records = source.records()
        manifest = next(records, None)
        if not isinstance(manifest, Manifest):
            raise BadRecording(f"{path} is not a recording: it does not begin with a manifest")
        if manifest.format > RECORDING_FORMAT:
            raise JournalTooNew(path, manifest.format, RECORDING_FORMAT)
        store = _Store(building, manifest, source, stack)
        for record in records:
            if store.add(record, source.record_bytes):
                room.check()
        store.finish()
    if not store.event_count:
        raise BadRecording(f"{path} holds no events")
    imported = ImportedRecording(
        directory=str(target),
        manifest=manifest,
        events=store.event_count,
        samples=store.sample_count,
        lines=store.line_count,
        skipped=source.skipped,
        bad_record=source.bad_record,
        reason=source.reason,
        files=_files(building),
    )
    file = create_private(building / VERDICT_NAME)
    with os.fdopen(file, "wb") as stream:
        stream.write(msgspec.json.encode(imported))
    return imported


class _Room:
    """The resources that opening a recording may use."""

    def __init__(self, path: Path, building: Path, source: "_Source") -> None:
        self._path = path
        self._building = building
        self._source = source
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss

    def check(self) -> None:
        """Raises BadRecording when a bound is exceeded."""
        self._source.unpacked.check_time()
        more = self._process.memory_info().rss - self._before
        if more > MAX_MEMORY_BYTES:
            raise BadRecording(
                f"{self._path} is too large to open: it takes more than {MAX_MEMORY_BYTES:,} bytes "
                "of memory",
                hint=HINT,
            )
        if shutil.disk_usage(self._building).free < KEEP_FREE_BYTES:
            raise BadRecording(
                f"cannot open the recording {self._path}: the disk of {self._building.parent} has "
                f"less than {KEEP_FREE_BYTES:,} bytes left",
                hint="XDG_CACHE_HOME names another place",
            )


class _Source:
    """The records of a file, and its faults."""

    def __init__(self, path: Path) -> None:
        self.unpacked = Unpacked(path, max_bytes=MAX_EXPANDED_BYTES)
        self.record_bytes = 0
        """Of the newest record."""
        self.skipped = 0
        self.bad_record: int | None = None
        self.reason = ""
        self.number = 0
        self._path = path
        self._hash = GENESIS
        self._closed = False

    def blame(self, reason: str, number: int | None = None) -> None:
        """Note that from this record on (by default the current one) the file differs from the
        export."""
        bad = self.number if number is None else number
        if self.bad_record is None or bad < self.bad_record:
            self.bad_record, self.reason = bad, reason

    def records(self) -> Iterator[Record]:
        """Every readable record, in order; stops at a truncation. A file that does not begin with a
        record has none."""
        lines, bad_lines = self.unpacked.lines(), 0
        while True:
            self.number += 1
            try:
                line = next(lines, None)
            except Cut as cut:
                self.blame(str(cut))
                return
            if line is None:
                if not self._closed:
                    self.blame("it is cut short: the closing record is missing")
                elif self.unpacked.follows:
                    self.blame("something follows the closing record")
                return
            if self.number > MAX_RECORDS:
                raise BadRecording(
                    f"{self._path} is too large to open: it has more than {MAX_RECORDS:,} records",
                    hint=HINT,
                )
            self.record_bytes = len(line)
            record = self._record(line)
            if record is not None:
                yield record
                continue
            bad_lines += 1
            if self.number == 1:
                return
            if bad_lines - self.skipped <= MAX_BAD_LINES:
                continue
            if self.number == bad_lines + 1:  # all but the manifest
                raise BadRecording(
                    f"{self._path} is not a recording: {bad_lines:,} lines are no records"
                )
            return

    def _record(self, line: bytes) -> Record | None:
        if self._closed:
            self.blame("something follows the closing record")
            return None
        try:
            parsed = _line_decoder.decode(line)
        except (ValueError, RecursionError):
            self.blame("a line is not a record")
            return None
        content = bytes(parsed.r)
        before = self._hash.hex()
        self._hash = sha256(self._hash + content).digest()
        if parsed.h != self._hash.hex()[:LINK_DIGITS]:
            self.blame("the chain of hashes breaks")
        try:
            record = _record_decoder.decode(content)
        except (ValueError, RecursionError):
            self.skipped += 1
            return None
        if isinstance(record, Closing):
            self._closed = True
            if record.hash != before:
                self.blame("the closing record does not fit")
        return record


class _Store:
    """The journal directory made from the records."""

    def __init__(
        self, directory: Path, manifest: Manifest, source: _Source, stack: ExitStack
    ) -> None:
        self.event_count = 0
        self.sample_count = 0
        self.line_count = 0
        self._directory = directory
        self._source = source
        first = max(manifest.first_seq, 1)
        self._head = Head(Seq(first - 1), GENESIS)
        self._at_ms = 0
        self._state: FleetState = EMPTY_STATE
        self._snapshot_seq = first
        self._snapshot_bytes = 0
        """Of the newest one. The next is taken when the events after it have as many bytes, so that
        snapshots take no more space than events."""
        self._unsnapped_bytes = 0
        self._pending: list[tuple[int, EventRecord]] = []
        """Events with their record numbers in the file."""
        self._samples: list[RollingRow] = []
        self._lines: list[RollingRow] = []
        self._bytes = 0
        """Of all pending records."""
        self._misfits = 0
        self._events_db = self._database(stack, "events", sqlite3.Connection, first)
        self._events_db.execute("BEGIN")
        self._events_db.execute(query("fence_drop"))
        self._events_db.execute(query("segment_insert"), (first, GENESIS, 0))
        self._samples_db = self._database(stack, "samples", RollingConnection, 1)
        self._logs_db = self._database(stack, "logs", LogConnection, 1)

    def _database(
        self, stack: ExitStack, family: str, factory: type[sqlite3.Connection], first: int
    ) -> sqlite3.Connection:
        path = segment_path(self._directory, first)
        path = path.with_name(path.name.replace("events", family))
        create_database(path, family).close()
        connection = sqlite3.connect(path, isolation_level=None, factory=factory)
        stack.enter_context(closing(connection))
        connection.execute("PRAGMA synchronous = OFF")  # a cache: recreated if it is lost
        return connection

    def add(self, record: Record, size: int) -> bool:
        """Add one record; returns whether the pending ones were stored."""
        source = self._source
        match record:
            case EventRecord():
                self._pending.append((source.number, record))
            case SampleRecord():
                self._samples.append((record.at_ms, record.agent, bytes(record.body)))
            case LineRecord(line=line):
                self._add_line(line_row(line))
            case GapRecord(gap=gap):
                self._add_line(line_row(gap))
            case Manifest():
                source.blame("a second manifest")
            case Closing():
                if record.events != self.event_count + len(self._pending):
                    source.blame("events are missing")
            case _:
                assert_never(record)
        self._bytes += size
        waiting = max(len(self._pending), len(self._samples), len(self._lines))
        if waiting < BATCH and self._bytes < BATCH_BYTES:
            return False
        self._flush()
        return True

    def _add_line(self, row: RollingRow) -> None:
        if any(isinstance(value, int) and abs(value) >= 2**63 for value in row):
            self._source.blame("a log line has an impossible number")
        elif any(isinstance(value, str) and len(value) > MAX_TEXT_CHARS for value in row):
            self._source.blame("a log line is longer than any that is kept")
        else:
            self._lines.append(row)

    def _flush(self) -> None:
        self._flush_events()
        self._flush_samples()
        self._flush_lines()
        self._bytes = 0

    def finish(self) -> None:
        """Write the pending records and complete the journal directory."""
        self._flush()
        self._events_db.execute(query("segment_freeze"))
        self._events_db.execute("COMMIT")
        write_head(self._directory, self._head)

    def _flush_events(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        recorded = [self._place(*found, offset) for offset, found in enumerate(pending)]
        understood = self._fold(pending, recorded)
        rows: list[EventRow] = []
        seq, digest = self._head
        for (_, record), event, fits in zip(pending, recorded, understood, strict=True):
            seq, v, body = event.seq, record.v if fits else NOT_UNDERSTOOD, bytes(record.body)
            digest = link(digest, seq, event.at_ms, event.epoch, record.kind, v, body)
            task = task_of(event.event)
            rows.append((seq, event.at_ms, event.epoch, record.kind, v, body, digest, task))
        self._events_db.executemany(query("event_insert"), rows)
        self._head = Head(seq, digest)
        self.event_count += len(rows)
        self._unsnapped_bytes += sum(len(record.body) for _, record in pending)
        if (
            seq - self._snapshot_seq >= SNAPSHOT_EVERY
            and self._unsnapped_bytes >= self._snapshot_bytes
        ):
            self._snapshot_seq, self._unsnapped_bytes = seq, 0
            write_snapshot(self._directory, self._state, digest)
            self._snapshot_bytes = snapshot_path(self._directory, seq).stat().st_size

    def _place(self, number: int, record: EventRecord, offset: int) -> Recorded:
        """The event with its position: positions have no gaps and instants never run backwards."""
        seq = Seq(self._head.seq + 1 + offset)
        if record.seq != seq:
            reason = f"event {record.seq} stands where event {seq} belongs"
            self._source.blame(reason, number)
        if record.at_ms < self._at_ms:
            self._source.blame(f"event {record.seq} is earlier than the one before it", number)
        self._at_ms = max(self._at_ms, record.at_ms)
        event = decode_leniently(record.kind, record.v, bytes(record.body))
        return Recorded(seq, self._at_ms, Epoch(record.epoch), event)

    def _fold(self, pending: list[tuple[int, EventRecord]], recorded: list[Recorded]) -> list[bool]:
        """Fold the events; inconsistent ones become unknown. Returns which ones fit."""
        fits = [True] * len(recorded)
        place = self._fold_fitting(recorded)
        while place < len(recorded):
            number, record = pending[place]
            reason = f"event {recorded[place].seq} does not fit the ones before it"
            self._source.blame(reason, number)
            unknown = UnknownEvent(kind=record.kind, body=bytes(record.body))
            recorded[place] = msgspec.structs.replace(recorded[place], event=unknown)
            fits[place] = False
            self._misfits += 1
            place += self._fold_fitting(recorded[place:])
        return fits

    def _fold_fitting(self, events: Sequence[Recorded]) -> int:
        """Fold the events up to the first inconsistent one; returns how many. Called again for the
        rest, in which an event that became unknown fits."""
        if self._misfits > MAX_MISFITS:
            known = (place for place, e in enumerate(events) if not _is_unknown(e))
            count = next(known, len(events))
            self._state = fold(self._state, events[:count])
            return count
        folding = Folding(self._state)
        for place, event in enumerate(events):
            try:
                folding.apply(event)
            except Exception:  # forged events may fail in any way, some partly applied
                self._state = fold(self._state, events[:place])
                return place
        self._state = folding.state()
        return len(events)

    def _flush_samples(self) -> None:
        first, rows = self.sample_count + 1, self._samples
        self._samples_db.executemany(
            query("sample_insert"), [(number, *row) for number, row in enumerate(rows, first)]
        )
        self.sample_count += len(rows)
        self._samples = []

    def _flush_lines(self) -> None:
        first, rows = self.line_count + 1, self._lines
        self._logs_db.executemany(
            query("line_insert"), [(number, *row) for number, row in enumerate(rows, first)]
        )
        self.line_count += len(rows)
        self._lines = []


def _is_unknown(recorded: Recorded) -> bool:
    return isinstance(recorded.event, UnknownEvent)
