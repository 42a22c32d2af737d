import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_tui.core.ids import NOWHERE, Epoch, Seq, TaskId
from fleet_tui.core.ledger.events import Event, Recorded, SegmentOpened
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.journal.errors import JournalDamaged, JournalMissing, JournalTooNew
from fleet_tui.journal.ledger import segments, verifying
from fleet_tui.journal.ledger import writer as writer_module
from fleet_tui.journal.ledger.chain import GENESIS, HEAD_NAME, Head, link, read_head, write_head
from fleet_tui.journal.ledger.codec import decode_leniently, encode
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import (
    EventRow,
    SegmentReader,
    create_segment,
    numbered_files,
)
from fleet_tui.journal.ledger.snapshots import (
    read_snapshot,
    snapshot_path,
    snapshot_seqs,
    write_snapshot,
)
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.recordings.importing import import_recording
from fleet_tui.journal.recordings.recording import export, redacted
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import note, opening, task_story, tasks
from tests.journal.strategies import events


async def a_ledger(open_writer: Open, count: int = 10) -> JournalWriter:
    writer = await open_writer()
    await writer.append(opening(), NOW_MS)
    for number in range(1, count + 1):
        await writer.append(task_story(number), NOW_MS + number * 10)
    return writer


async def test_any_moment_is_the_fold_of_what_came_before(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 17)
    await a_ledger(open_writer)
    with closing(JournalReader(directory)) as reader:
        history = reader.read(NOWHERE, 1_000)
        state = EMPTY_STATE
        assert reader.load(until_seq=NOWHERE) == EMPTY_STATE
        for recorded in history:
            state = fold(state, [recorded])
            assert reader.load(until_seq=recorded.seq) == state
        assert reader.load(until_seq=Seq(10_000)) == state
        for at_ms in range(NOW_MS - 1, NOW_MS + 112, 5):
            before = [r for r in history if r.at_ms <= at_ms]
            expected = fold(EMPTY_STATE, before)
            assert reader.load(until_ms=at_ms) == expected
            assert reader.seq_at(at_ms) == expected.seq
        assert reader.span() == (NOW_MS, NOW_MS + 100)


async def test_reading_goes_on_where_it_stopped_and_follows(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 9)
    writer = await a_ledger(open_writer, 3)
    with closing(JournalReader(directory)) as reader:
        seen: list[Recorded] = []
        while page := reader.read(seen[-1].seq if seen else NOWHERE, 4):
            seen += page
        assert [r.seq for r in seen] == list(range(1, writer.last_seq + 1))
        assert reader.read(seen[-1].seq, 4) == []
        await writer.append([note(str(n)) for n in range(20)], NOW_MS)
        assert len(reader.read(seen[-1].seq, 100)) >= 20
        assert reader.last_seq() == writer.last_seq


async def test_the_newest_events_are_all_there_however_large_they_are(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 5)
    writer = await a_ledger(open_writer, 12)
    last = writer.last_seq
    monkeypatch.setattr(segments, "PAGE_BYTES", 1)
    with closing(JournalReader(directory)) as reader:
        assert len(reader.read(NOWHERE, 100)) == 1, "a page ends early"
        assert [r.seq for r in reader.newest(100)] == list(range(1, last + 1))
        assert [r.seq for r in reader.newest(7)] == list(range(last - 6, last + 1))
        assert [r.seq for r in reader.newest(7, Seq(9))] == list(range(3, 10))
        assert [r.seq for r in reader.newest(7, Seq(last + 9))] == list(range(last - 6, last + 1))
        assert reader.newest(7, NOWHERE) == []
        assert reader.newest(0) == []
    with closing(JournalReader(directory, until=Seq(4))) as trusted:
        assert [r.seq for r in trusted.newest(2)] == [3, 4]


async def test_sessions_are_the_stretches_between_engines(
    open_writer: Open, directory: Path
) -> None:
    first = await a_ledger(open_writer, 2)
    await first.close("maintenance")
    second = await open_writer()
    await second.append(task_story(3), NOW_MS + 500)
    with closing(JournalReader(directory)) as reader:
        one, two = reader.sessions()
    assert (one.epoch, one.started_at_ms, one.ended_at_ms, one.tasks) == (1, NOW_MS, NOW_MS + 20, 2)
    assert (two.epoch, two.ended_at_ms, two.tasks, two.events) == (2, None, 1, 6)
    assert one.events == two.first_seq - one.first_seq


async def test_a_snapshot_is_used_only_when_it_fits(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer)
    with closing(JournalReader(directory)) as reader:
        at = reader.load(until_seq=Seq(30))
        digest = reader.rows(Seq(29), 1)[0].hash
        truth = reader.load()
        write_snapshot(directory, at, digest)
        assert snapshot_seqs(directory) == [30]
        assert read_snapshot(directory, 30, digest) == at
        assert reader.load() == truth == writer.state
        write_snapshot(directory, fold(at, []), bytes(32))
        assert read_snapshot(directory, 30, digest) is None
        assert reader.load() == truth
        snapshot_path(directory, 30).write_bytes(b"junk")
        assert reader.load() == truth


async def test_the_writer_leaves_snapshots(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "SNAPSHOT_EVERY", 10)
    monkeypatch.setattr(writer_module, "KEEP_EVERY_S", 0.001)
    writer = await a_ledger(open_writer)
    while not snapshot_seqs(directory):
        await writer.append([note()], NOW_MS + 1_000)
    with closing(JournalReader(directory)) as reader:
        assert reader.load() == writer.state
    await writer.close("")
    again = await open_writer()
    assert again.state.closed_tasks == writer.state.closed_tasks
    assert again.state.notes == writer.state.notes


async def test_no_journal_is_a_clear_message(directory: Path) -> None:
    with pytest.raises(JournalMissing, match="no directory"):
        JournalReader(directory)
    directory.mkdir(mode=0o700)
    with pytest.raises(JournalMissing, match="no journal"):
        JournalReader(directory)


def tamper(directory: Path, statement: str, *values: object) -> None:
    (_, path) = numbered_files(directory, "events")[0]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = replace(body, 'ana', 'eve') WHERE seq = 5",
        "UPDATE events SET at = at + 1 WHERE seq = 5",
        "UPDATE events SET epoch = 7 WHERE seq = 5",
        "UPDATE events SET kind = 'note.added' WHERE seq = 5",
        "UPDATE events SET v = 2 WHERE seq = 5",
        "UPDATE events SET hash = zeroblob(32) WHERE seq = 5",
        "DELETE FROM events WHERE seq = 5",
    ],
)
async def test_a_changed_row_is_found_and_named(
    open_writer: Open, directory: Path, statement: str
) -> None:
    writer = await a_ledger(open_writer)
    await writer.close("done")
    tamper(
        directory,
        statement.replace("replace(body", "CAST(replace(body").replace("'eve')", "'eve') AS BLOB)"),
    )
    with closing(JournalReader(directory)) as reader:
        checked = verify(reader.directory)
    assert not checked.intact
    assert checked.first_bad_seq == 5
    assert checked.events == 4
    with pytest.raises(JournalDamaged) as damaged:
        await open_writer()
    assert damaged.value.first_bad_seq == 5
    assert "events 5 to " in str(damaged.value)


async def test_any_flipped_bit_in_a_row_is_noticed(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer, 4)
    await writer.close("done")
    (_, path) = numbered_files(directory, "events")[0]
    whole = path.read_bytes()
    with closing(JournalReader(directory)) as reader:
        rows = reader.rows(NOWHERE, 1_000)
    dice = random.Random(5)
    for row in dice.sample(rows, 15):
        place = whole.index(row.body) + dice.randrange(len(row.body))
        flipped = bytearray(whole)
        flipped[place] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        with closing(JournalReader(directory)) as reader:
            checked = verify(reader.directory)
        assert checked.first_bad_seq == row.seq


async def test_a_journal_that_lost_its_end_is_refused(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer)
    await writer.close("done")
    last = writer.last_seq
    tamper(directory, "DELETE FROM events WHERE seq > 20")
    with pytest.raises(JournalDamaged, match=f"ends at event 20, but {last} events") as damaged:
        await open_writer()
    assert (damaged.value.first_bad_seq, damaged.value.last_seq) == (21, last)
    with closing(JournalReader(directory)) as reader:
        assert verify(reader.directory).first_bad_seq == 21


async def test_a_journal_without_its_head_is_refused(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer)
    await writer.close("done")
    head = directory / HEAD_NAME
    kept = head.read_bytes()
    head.unlink()
    with pytest.raises(JournalDamaged, match="head file is missing"):
        await open_writer()
    head.touch(mode=0o600)
    head.write_bytes(b"12 what?")
    with pytest.raises(JournalDamaged, match="head file is not readable"):
        await open_writer()
    head.write_bytes(kept)
    await open_writer()


async def test_a_head_without_its_journal_is_refused(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer)
    await writer.close("done")
    for _, path in numbered_files(directory, "events"):
        path.unlink()
    with pytest.raises(JournalDamaged, match="its files are gone"):
        await open_writer()


async def test_a_file_that_is_no_database_is_damage(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer)
    await writer.close("done")
    (_, path) = numbered_files(directory, "events")[0]
    path.write_bytes(b"garbage" * 1_000)
    with pytest.raises(JournalDamaged, match="cannot be read"):
        await open_writer()
    with closing(JournalReader(directory)) as reader:
        assert not verify(reader.directory).intact


PAGE_BYTES = 4_096
READS: dict[str, Callable[[JournalReader], object]] = {
    "last_seq": lambda reader: reader.last_seq(),
    "span": lambda reader: reader.span(),
    "read": lambda reader: reader.read(NOWHERE, 100),
    "rows": lambda reader: reader.rows(NOWHERE, 100),
    "load": lambda reader: reader.load(),
    "load until": lambda reader: reader.load(until_ms=NOW_MS),
    "seq_at": lambda reader: reader.seq_at(NOW_MS),
    "task_events": lambda reader: reader.task_events(TaskId("t")),
    "retell": lambda reader: reader.retell("t-1"),
    "find_tasks": lambda reader: reader.find_tasks([TaskId("t")]),
    "sessions": lambda reader: reader.sessions(),
}


async def test_pages_of_nonsense_are_damage_whatever_is_read(
    open_writer: Open, directory: Path
) -> None:
    """Told in words by each way to read, and by none as an error of SQLite's own."""
    writer = await a_ledger(open_writer)
    await writer.close("done")
    (_, path) = numbered_files(directory, "events")[0]
    whole = path.read_bytes()
    told = set()
    for at in range(PAGE_BYTES, len(whole), PAGE_BYTES):
        path.write_bytes(whole[:at] + b"\xa5" * PAGE_BYTES + whole[at + PAGE_BYTES :])
        for name, read in READS.items():
            with closing(JournalReader(directory)) as reader:
                try:
                    read(reader)
                except JournalDamaged:
                    told.add(name)
    assert told >= READS.keys() - {"task_events"}


async def test_a_newer_format_is_refused_and_not_touched(
    open_writer: Open, directory: Path
) -> None:
    writer = await a_ledger(open_writer)
    await writer.close("done")
    tamper(directory, "PRAGMA user_version = 9")
    (_, path) = numbered_files(directory, "events")[0]
    before = path.read_bytes()
    with pytest.raises(JournalTooNew, match=r"format 9, .* up to 1"):
        await open_writer()
    assert path.read_bytes() == before


def store(directory: Path, stored: list[Event]) -> None:
    rows: list[EventRow] = []
    digest = GENESIS
    for seq, event in enumerate(stored, 1):
        kind, v, body, task = encode(event)
        digest = link(digest, seq, NOW_MS, 1, kind, v, body)
        rows.append((seq, NOW_MS, 1, kind, v, body, digest, task))
    create_segment(directory, Head(NOWHERE, GENESIS), rows, 1)
    write_head(directory, Head(Seq(len(stored)), digest))


def fitting(batch: list[Event]) -> list[Event]:
    """Those that fold after each other: a real ledger holds no others."""
    kept: list[Event] = []
    state = EMPTY_STATE
    for event in batch:
        try:
            state = fold(state, [Recorded(Seq(len(kept) + 1), NOW_MS, Epoch(1), event)])
        except (AssertionError, LookupError, ValueError):
            continue
        kept.append(event)
    return kept


def names_a_secret(event: Event) -> bool:
    """Whether a value stands under a name that says it is a secret: no recording carries that."""
    body = msgspec.json.decode(encode(event)[2])
    return bool(redacted(body, lambda text: text) != body)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=st.lists(events(), max_size=8))
def test_any_ledger_comes_back_from_a_recording(
    batch: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("recording")
    directory = base / "state"
    directory.mkdir(mode=0o700)
    whole = [event for event in batch if not names_a_secret(event)]
    stored = fitting([SegmentOpened(state=EMPTY_STATE), *whole])
    store(directory, stored)
    export(directory, base / "it.fleetrec", redact=lambda text: text)
    opened = import_recording(base / "it.fleetrec", base / "cache")
    assert opened.intact, opened.reason
    with closing(JournalReader(Path(opened.directory))) as copy:
        assert [recorded.event for recorded in copy.read(NOWHERE, 100)] == stored
        with closing(JournalReader(directory)) as original:
            assert copy.load() == original.load()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch=st.lists(events(), max_size=8))
def test_any_events_come_back_from_the_database(
    batch: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("state")
    directory.chmod(0o700)
    store(directory, [note(), *batch])
    with closing(JournalReader(directory)) as reader:
        assert reader.read(NOWHERE, 100) == [
            Recorded(Seq(seq), NOW_MS, Epoch(1), event)
            for seq, event in enumerate([note(), *batch], 1)
        ]
        assert verify(reader.directory).intact


async def test_a_reader_does_not_hold_up_checkpoints(open_writer: Open, directory: Path) -> None:
    writer = await a_ledger(open_writer, 50)
    (_, path) = numbered_files(directory, "events")[0]
    with closing(JournalReader(directory)) as reader:
        reader.read(NOWHERE, 10)
        reader.load()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
        await writer.append(list(tasks(2, first=100)), NOW_MS + 5_000)
        assert reader.last_seq() == writer.last_seq


async def test_every_task_of_any_age_is_told_as_it_ended(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its label, its number and its id; over many segments, long after the state forgot it."""
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 17)
    monkeypatch.setattr("fleet_tui.core.tasks.store.MAX_CLOSED_TASKS", 2)
    writer = await a_ledger(open_writer, 12)
    await writer.append(task_story(13)[:1], NOW_MS + 999)
    with closing(JournalReader(directory)) as reader:
        assert len(reader.load().closed_tasks) == 2
        history = reader.read(NOWHERE, 1_000)
        monkeypatch.undo()
        whole = EMPTY_STATE
        for recorded in history:
            if not isinstance(recorded.event, SegmentOpened):
                whole = fold(whole, [recorded])
        assert len(whole.closed_tasks) == 12
        for task in whole.tasks():
            for text in (task.label, str(task.number), task.id):
                assert reader.find_task(text) == task
        for text in ("t-14", "t-0", "0", "14", "", "t-", "x", "\udc80", "9" * 5_000, "01J" * 9):
            assert reader.find_task(text) is None


async def test_a_task_is_told_as_it_stood_at_a_position(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 17)
    await a_ledger(open_writer, 6)
    with closing(JournalReader(directory)) as reader:
        state = EMPTY_STATE
        for recorded in reader.read(NOWHERE, 1_000):
            state = fold(state, [recorded])
            for number in range(1, 8):
                told = reader.find_task(f"t-{number}", until=state.seq)
                assert told == state.find_task(f"t-{number}")


async def test_a_recording_tells_of_tasks_that_began_before_it(
    open_writer: Open, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.core.tasks.store.MAX_CLOSED_TASKS", 4)
    writer = await a_ledger(open_writer, 5)
    begun, *rest = task_story(6)
    await writer.append([begun], NOW_MS + 60)
    await writer.append(rest, NOW_MS + 70)
    await writer.append(task_story(7), NOW_MS + 80)
    await writer.append(list(tasks(8, 8)), NOW_MS + 90)
    recording = export(directory, tmp_path / "x.fleet-rec", since_ms=NOW_MS + 65, redact=str)
    imported = import_recording(Path(recording.path), tmp_path / "cache")
    with (
        closing(JournalReader(directory)) as live,
        closing(JournalReader(Path(imported.directory))) as reader,
    ):
        assert reader.load().find_task("t-6") is None
        for number in range(2, 16):
            told = reader.find_task(f"t-{number}")
            assert told is not None
            assert told == live.find_task(told.id)
            assert told.phase is TaskPhase.SUCCEEDED
        assert reader.find_task("t-1") is None, "it was forgotten before the recording began"
        assert live.find_task("t-1") is not None


async def test_a_task_is_found_without_reading_the_ledger(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking one up takes steps through an index and halvings, however many tasks there are."""
    writer = await open_writer()
    await writer.append(opening(), NOW_MS)
    await writer.append(list(tasks(3_000)), NOW_MS)
    decoded = 0

    def counting(*args: object) -> object:
        nonlocal decoded
        decoded += 1
        return decode_leniently(*args)  # type: ignore[arg-type]  # as it is called

    monkeypatch.setattr("fleet_tui.journal.ledger.segments.decode_leniently", counting)
    with closing(JournalReader(directory)) as reader:
        told = reader.find_task("t-1")
        assert told is not None
        assert told.phase is TaskPhase.SUCCEEDED
    assert decoded <= 10


async def test_tasks_are_found_together_and_each_file_is_opened_once(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 20)
    await a_ledger(open_writer, 40)
    opened: list[Path] = []

    class Counted(SegmentReader):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr("fleet_tui.journal.ledger.reader.SegmentReader", Counted)
    wanted = [TaskId(f"01J{number:023d}") for number in (1, 17, 40, 41)]
    with closing(JournalReader(directory)) as reader:
        found = reader.find_tasks([*wanted, TaskId(""), TaskId("nobody's")])
        files = numbered_files(directory, "events")
        assert len(files) > 5
        assert len(opened) <= len(files) + 2, "the last and the first are looked into for the ends"
        assert list(found) == wanted[:3], "no other ledger's"
        assert all(found[task] == reader.find_task(task) for task in found)


async def test_a_damaged_segment_is_told_with_the_events_that_are_lost_with_it(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 9)
    writer = await a_ledger(open_writer, 30)
    last = writer.last_seq
    await writer.close("")
    first, path = numbered_files(directory, "events")[1]
    path.write_bytes(b"nonsense" * 1_000)
    with closing(JournalReader(directory)) as reader, pytest.raises(JournalDamaged) as damaged:
        reader.read(Seq(first), 10)
    assert (damaged.value.first_bad_seq, damaged.value.last_seq) == (first, last)


async def test_sessions_ask_only_the_segments_that_they_are_in(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 4)
    for _ in range(10):
        writer = await open_writer()
        await writer.append(opening() if writer.last_seq < 4 else [note("x")], NOW_MS)
        await writer.append([note("x"), note("y")], NOW_MS)
        await writer.close("over")
    opened: list[Path] = []
    real = SegmentReader.tasks_between

    def asked(segment: SegmentReader, first: int, end: int) -> int:
        opened.append(segment.path)
        return real(segment, first, end)

    monkeypatch.setattr(SegmentReader, "tasks_between", asked)
    with closing(JournalReader(directory)) as reader:
        assert len(reader.sessions()) == 10
    assert len(opened) <= 2 * len(numbered_files(directory, "events"))


async def test_a_segment_that_is_begun_during_a_proof_is_no_damage(
    open_writer: Open, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head may remember more than the files that were listed before it was read."""
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 9)
    writer = await a_ledger(open_writer, 30)
    await writer.close("")
    left = [numbered_files(directory, "events")[:-1]]

    def files(where: Path, family: str) -> list[tuple[int, Path]]:
        return left.pop() if left else numbered_files(where, family)

    def remembered(where: Path) -> Head | None:
        left.clear()  # whoever lists the files after the head finds all that it remembers
        return read_head(where)

    monkeypatch.setattr(verifying, "numbered_files", files)
    monkeypatch.setattr(verifying, "read_head", remembered)
    assert verify(directory).intact
