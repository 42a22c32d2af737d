"""The ledger: decoding, folding, appending, reading."""

import asyncio
import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet_tui.core.ids import Epoch, Seq
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.journal.ledger import codec
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.bench.frame import Cost, Row, at_least, at_most, cost_of, percentile
from tests.journal.stories import note, opening, tasks

STORIES = 2_000
BATCH = 512
CALLERS = 64
APPENDS = 6_400
SINGLE = 400
PAGE = 2_000
NOW_MS = 1_795_000_000_000


def recorded(events: Sequence[Event]) -> list[Recorded]:
    return [Recorded(Seq(n), NOW_MS + n, Epoch(1), event) for n, event in enumerate(events, 1)]


def in_batches(rows: Sequence[Recorded]) -> None:
    state = EMPTY_STATE
    for first in range(0, len(rows), BATCH):
        state = fold(state, rows[first : first + BATCH])
    assert state.totals.succeeded == STORIES


def folding() -> Iterator[Row]:
    """Events folded, and replayed from their stored form, beside reading the JSON and no more."""
    events = [*opening(), *tasks(STORIES)]
    rows = recorded(events)
    stored = [codec.encode(event) for event in events]

    def replay() -> None:
        in_batches(
            [
                Recorded(row.seq, row.at_ms, row.epoch, codec.decode(kind, v, body))
                for row, (kind, v, body, _) in zip(rows, stored, strict=True)
            ]
        )

    bare = cost_of(lambda: [json.loads(e.body) for e in stored], len(stored)).per_cpu_second
    for name, call, target in (
        ("events folded", lambda: in_batches(rows), None),
        ("replay: events decoded and folded", replay, at_least(500_000)),
    ):
        yield Row(
            name=name,
            figure=cost_of(call, len(rows)).per_cpu_second,
            unit="events/s",
            peer_name="json.loads of the same and nothing else",
            peer=bare,
            target=target,
        )


@dataclass(frozen=True)
class Answer:
    text: str
    size_bytes: int


@dataclass(frozen=True)
class Finished:
    run: str
    ok: bool
    answer: Answer


def by_hand(body: bytes) -> Finished:
    """What json and dataclasses need for one event, without any check."""
    told = json.loads(body)
    answer = told["answer"]
    return Finished(told["run"], told["ok"], Answer(answer["text"][0], answer["size_bytes"]))


def decoding() -> Iterator[Row]:
    """One stored event to a checked value and back."""
    event = next(e for e in tasks(1) if codec.encode(e).kind == "attempt.finished")
    kind, v, body, _ = codec.encode(event)
    yield Row(
        name="decode and check an event",
        figure=cost_of(lambda: codec.decode(kind, v, body)).cpu_us,
        unit="µs",
        peer_name="json and dataclasses, unchecked",
        peer=cost_of(lambda: by_hand(body)).cpu_us,
        target=at_most(2),
    )
    told = json.loads(body)
    yield Row(
        name="encode an event and prove it reads back",
        figure=cost_of(lambda: codec.encode(event)).cpu_us,
        unit="µs",
        peer_name="json.dumps of a ready dict",
        peer=cost_of(lambda: json.dumps(told)).cpu_us,
    )


def appending() -> Iterator[Row]:
    """Acknowledged events, on the disk; the peer is SQLite alone with a row a transaction."""
    with tempfile.TemporaryDirectory() as directory:
        alone, alone_ms = one_row_a_transaction(Path(directory) / "alone.db")
        many, one, single_ms = asyncio.run(through_the_writer(Path(directory) / "state"))
    peer = "sqlite3, a row a transaction"
    yield Row(
        name=f"append, {CALLERS} callers at once, CPU all-in",
        figure=many.cpu_us,
        unit="µs",
        peer_name=peer,
        peer=alone.cpu_us,
        target=at_most(25),
    )
    yield Row(
        name=f"append, {CALLERS} callers at once",
        figure=many.per_second,
        unit="events/s",
        peer_name=peer,
        peer=alone.per_second,
    )
    yield Row(
        name="append, one caller, CPU all-in",
        figure=one.cpu_us,
        unit="µs",
        peer_name=peer,
        peer=alone.cpu_us,
    )
    for percent, target in ((50, at_most(5)), (99, at_most(50))):
        yield Row(
            name=f"append to acknowledgement, p{percent}",
            figure=percentile(single_ms, percent),
            unit="ms",
            peer_name=peer,
            peer=percentile(alone_ms, percent),
            target=target,
        )


async def through_the_writer(directory: Path) -> tuple[Cost, Cost, list[float]]:
    """Cost with many callers, with one, and the latencies of one."""
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0", 1)
    await writer.append(opening(), NOW_MS)

    async def caller(times: int) -> list[float]:
        took_ms = []
        for n in range(times):
            began_s = time.perf_counter()
            await writer.append([note(f"note {n}")], NOW_MS)
            took_ms.append(1_000 * (time.perf_counter() - began_s))
        return took_ms

    cpu_s, wall_s = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(APPENDS // CALLERS) for _ in range(CALLERS)))
    many = spent(cpu_s, wall_s, APPENDS)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    latencies = await caller(SINGLE)
    one = spent(cpu_s, wall_s, SINGLE)
    await writer.close("measured")
    return many, one, latencies


def one_row_a_transaction(file: Path) -> tuple[Cost, list[float]]:
    """The plain way, with the same promise: WAL and synchronous=FULL."""
    body = codec.encode(note("note 1")).body
    took_ms = []
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE event (seq INTEGER PRIMARY KEY, at, epoch, kind, v, body, hash, task)"
        )
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        for n in range(SINGLE):
            began_s = time.perf_counter()
            connection.execute(
                "INSERT INTO event VALUES (?, ?, 1, 'note.added', 1, ?, ?, NULL)",
                (n, NOW_MS, body, bytes(32)),
            )
            took_ms.append(1_000 * (time.perf_counter() - began_s))
        return spent(cpu_s, wall_s, SINGLE), took_ms


def spent(cpu_s: float, wall_s: float, times: int) -> Cost:
    """What one of ``times`` took since then."""
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return Cost(1e6 * cpu_s / times, 1e6 * wall_s / times)


def reading() -> Iterator[Row]:
    """Stored events back as values, beside SQLite handing out the rows."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "state"
        total = asyncio.run(written(directory))
        with contextlib.closing(JournalReader(directory)) as reader:
            ours = cost_of(lambda: all_of(reader, total), total)
        with contextlib.closing(sqlite3.connect(min(directory.glob("events-*.db")))) as database:
            bare = cost_of(lambda: database.execute("SELECT * FROM events").fetchall(), total)
    yield Row(
        name="events read back",
        figure=ours.per_cpu_second,
        unit="events/s",
        peer_name="sqlite3 rows",
        peer=bare.per_cpu_second,
        target=at_least(500_000),
    )


async def written(directory: Path) -> int:
    """A ledger of STORIES tasks; how many events it has."""
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0", 1)
    events = [*opening(), *tasks(STORIES)]
    for first in range(0, len(events), BATCH):
        await writer.append(events[first : first + BATCH], NOW_MS)
    await writer.close("measured")
    return len(events)


def all_of(reader: JournalReader, least: int) -> None:
    after, count = Seq(0), 0
    while page := reader.read(after, PAGE):
        after, count = page[-1].seq, count + len(page)
    assert count >= least
