import gzip
import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FleetSample, VitalsReading
from fleet_tui.core.ids import NOWHERE
from fleet_tui.core.ledger.events import Recorded, SegmentOpened, UnknownEvent
from fleet_tui.core.logs import Level, LogGap, LogLine, LogQuery
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.errors import BadRecording, JournalError, JournalTooNew
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.recordings import importing
from fleet_tui.journal.recordings import recording as recording_module
from fleet_tui.journal.recordings.importing import (
    ImportedRecording,
    import_recording,
    read_manifest,
)
from fleet_tui.journal.recordings.recording import export
from fleet_tui.journal.telemetry.logs import LogReader, LogWriter
from fleet_tui.journal.telemetry.samples import SampleReader, SampleWriter
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import AGENT, note, opening, task_story

LINE = LogLine(
    received_at_ms=NOW_MS + 15, source=AGENT, level=Level.INFO, text=Untrusted("key=sk-1 \x1b[2J")
)
GAP = LogGap(received_at_ms=NOW_MS + 16, source=AGENT, reason="rotated", lines=3, line_id=2)
LOOK = VitalsReading(agent=AGENT, observed_at_ms=NOW_MS + 15, latency_ms=1.5)
PULSE = FleetSample(at_ms=NOW_MS + 16, up=1, agents=1)


def as_is(text: str) -> str:
    return text


def read_all(directory: Path) -> list[Recorded]:
    with closing(JournalReader(directory)) as reader:
        return reader.read(NOWHERE, 1_000_000)


def open_recording(path: Path, tmp_path: Path) -> ImportedRecording:
    return import_recording(path, tmp_path / "cache")


@pytest.fixture
async def ledger(open_writer: Open, directory: Path) -> Path:
    """Four tasks at +10, +20, +30, +40 and a little telemetry."""
    writer = await open_writer()
    await writer.append(
        [*opening(), UnknownEvent(kind="task.sung", body=b'{"kind":"task.sung"}')], 0
    )
    for number in range(1, 5):
        await writer.append(task_story(number), NOW_MS + 10 * number)
    await writer.append([note("token sk-1 seen")], NOW_MS + 50)
    samples, logs = await SampleWriter.open(directory), await LogWriter.open(directory)
    samples.add([LOOK, PULSE])
    logs.write([LINE, GAP])
    await samples.close()
    await logs.close()
    return directory


def test_everything_comes_back_as_it_was(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.fleetrec"
    exported = export(ledger, file, redact=as_is)
    opened = open_recording(file, tmp_path)
    assert opened.intact, opened.reason
    assert (opened.events, opened.samples, opened.lines) == (26, 2, 2)
    assert (exported.events, exported.samples, exported.lines) == (26, 2, 2)
    assert opened.manifest.fleet == "demo"
    copy = Path(opened.directory)
    assert read_all(copy) == read_all(ledger)
    with closing(JournalReader(copy)) as mine, closing(JournalReader(ledger)) as theirs:
        assert mine.load() == theirs.load()
        assert mine.span() == theirs.span()
        assert verify(copy).intact
        assert mine.load().unknown_events == 1
    with closing(SampleReader(copy)) as samples, closing(LogReader(copy)) as logs:
        assert samples.latest_probes() == {AGENT: LOOK}
        assert samples.fleet_samples(0, NOW_MS * 2, 10) == [PULSE]
        assert logs.after(0, 10)[1] == GAP
        assert logs.query(LogQuery(words="key*"))[0].text == LINE.text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*.new"))


def test_a_slice_begins_with_the_state_before_it(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "slice.fleetrec"
    export(ledger, file, NOW_MS + 15, NOW_MS + 35, redact=as_is)
    opened = open_recording(file, tmp_path)
    assert opened.intact, opened.reason
    found = read_all(Path(opened.directory))
    whole = read_all(ledger)
    assert isinstance(found[0].event, SegmentOpened)
    assert found[1:] == [r for r in whole if NOW_MS + 15 <= r.at_ms <= NOW_MS + 35]
    with (
        closing(JournalReader(Path(opened.directory))) as mine,
        closing(JournalReader(ledger)) as theirs,
    ):
        assert mine.load() == theirs.load(until_ms=NOW_MS + 35)
        assert mine.span() == (NOW_MS + 10, NOW_MS + 30)


def test_a_slice_without_events_is_refused(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no events in that stretch"):
        export(ledger, tmp_path / "none.fleetrec", until_ms=NOW_MS - 1, redact=as_is)
    assert not list(tmp_path.glob("*.fleetrec*"))


def test_secrets_are_redacted_everywhere(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "clean.fleetrec"
    export(ledger, file, redact=lambda text: text.replace("sk-1", "[redacted]"))
    content = gzip.decompress(file.read_bytes())
    assert b"sk-1" not in content
    assert content.count(b"[redacted]") == 2
    assert open_recording(file, tmp_path).intact


def test_opening_twice_reads_the_cache(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    first = open_recording(file, tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr("fleet_tui.journal.recordings.importing._build", never)
    assert open_recording(file, tmp_path) == first


def lines_of(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:10], lines[10].replace(b'"by":"ana"', b'"by":"eve"'), *lines[11:]]


def test_what_is_changed_in_the_fixture_is_really_changed(ledger: Path, tmp_path: Path) -> None:
    export(ledger, tmp_path / "all.fleetrec", redact=as_is)
    index = next(
        i for i, line in enumerate(lines_of(tmp_path / "all.fleetrec")) if b"key-1" in line
    )
    assert index < 10


@pytest.mark.parametrize(
    ("tamper", "bad_record", "events"),
    [
        (lambda lines: [*lines[:9], lines[9].replace(b"a", b"e"), *lines[10:]], 10, None),
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], 6, None),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], 6, None),
        (lambda lines: [*lines[:5], *lines[6:]], 6, 25),
        (lambda lines: [*lines[:5], b"nonsense\n", *lines[5:]], 6, 26),
        (lambda lines: [*lines[:5], b"[" * 100_000 + b"\n", *lines[5:]], 6, 26),
        (lambda lines: [*lines[:12], lines[12][:40]], 13, 11),
        (lambda lines: lines[:-1], 32, 26),
        (lambda lines: [*lines, lines[-1]], 33, 26),
    ],
    ids=["changed", "swapped", "doubled", "left-out", "noise", "deep", "cut", "unclosed", "more"],
)
def test_what_is_not_intact_opens_and_says_from_where(
    ledger: Path,
    tmp_path: Path,
    tamper: Callable[[list[bytes]], list[bytes]],
    bad_record: int,
    events: int | None,
) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    file.write_bytes(gzip.compress(b"".join(tamper(lines_of(file)))))
    opened = open_recording(file, tmp_path)
    assert opened.bad_record == bad_record, opened.reason
    assert opened.reason
    if events is not None:
        assert opened.events == events
    with closing(JournalReader(Path(opened.directory))) as reader:
        reader.load()


def test_a_file_cut_in_the_middle_of_its_bytes_opens(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    opened = open_recording(file, tmp_path)
    assert not opened.intact
    assert "1 incomplete record" in opened.reason
    assert 0 < opened.events <= 26


def rechained(records: list[dict[str, object]]) -> bytes:
    """A recording that somebody made up: its chain is right, its records are what they are."""
    from hashlib import sha256

    digest, out = bytes(32), []
    for record in records:
        if record["t"] == "end":
            record["hash"] = digest.hex()
        content = json.dumps(record, separators=(",", ":")).encode()
        digest = sha256(digest + content).digest()
        out.append(b'{"h":"' + digest.hex()[:16].encode() + b'","r":' + content + b"}\n")
    return gzip.compress(b"".join(out))


def records_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line)["r"] for line in lines_of(file)]


def test_invented_events_are_kept_as_unknown(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    records = records_of(file)
    body = {"kind": "attempt.started", "run": "no run id"}
    records[8]["kind"], records[8]["body"] = "attempt.started", body
    records[9]["body"] = {"kind": records[9]["kind"], "surprise": [1, {"x": "\x1b]0;y\x07"}]}
    records[10]["t"] = "hologram"
    file.write_bytes(rechained(records))
    opened = open_recording(file, tmp_path)
    assert opened.skipped == 1
    assert opened.bad_record == 9 or opened.bad_record == 12
    found = read_all(Path(opened.directory))
    assert isinstance(found[8].event, UnknownEvent)
    with closing(JournalReader(Path(opened.directory))) as reader:
        assert reader.load().unknown_events >= 2


@pytest.mark.parametrize("at_ms", [-1, 2**63, "soon", None])
def test_impossible_numbers_are_not_believed(ledger: Path, tmp_path: Path, at_ms: object) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    records = records_of(file)
    records[12]["at_ms"] = at_ms
    file.write_bytes(rechained(records))
    opened = open_recording(file, tmp_path)
    assert opened.skipped == 1
    assert not opened.intact


def test_a_newer_format_is_refused_by_both_numbers(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    records = records_of(file)
    records[0]["format"] = 7
    file.write_bytes(rechained(records))
    with pytest.raises(JournalTooNew, match=r"format 7.*up to 1"):
        open_recording(file, tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not compressed JSON lines"),
        (b"hello\n", "not compressed JSON lines"),
        (b"SQLite format 3\x00" + bytes(100), "is a database"),
        (gzip.compress(b'{"a": 1}\n'), "does not begin with a manifest"),
        (gzip.compress(b""), "does not begin with a manifest"),
        (gzip.compress(b"x" * (9 * 2**20)), "does not begin with a manifest"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "odd.fleetrec"
    file.write_bytes(content)
    with pytest.raises(BadRecording, match=says):
        open_recording(file, tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_file_is_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match="No such file"):
        open_recording(tmp_path / "none.fleetrec", tmp_path)


def test_an_export_that_fails_leaves_nothing(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "MAX_LINE_BYTES", 300)
    with pytest.raises(BadRecording, match="event 1 is too large"):
        export(ledger, tmp_path / "all.fleetrec", redact=as_is)
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


def test_a_large_state_forgets_its_oldest_closed_tasks(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_module, "MAX_STATE_BYTES", 4_000)
    file = tmp_path / "slice.fleetrec"
    export(ledger, file, NOW_MS + 45, redact=as_is)
    opened = open_recording(file, tmp_path)
    assert opened.intact, opened.reason
    with closing(JournalReader(Path(opened.directory))) as reader:
        kept = list(reader.load().closed_tasks)
    assert 0 <= len(kept) < 4
    if kept:
        assert kept[-1].endswith("4")


def test_a_cache_that_nobody_can_write_to(ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.fleetrec"
    export(ledger, file, redact=as_is)
    opened = open_recording(file, tmp_path)
    path = next(Path(opened.directory).glob("events-*.db"))
    with closing(JournalReader(Path(opened.directory))) as reader:
        before = verify(reader.directory)
        with (
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection,
            pytest.raises(sqlite3.OperationalError),
        ):
            connection.execute("DELETE FROM events")
        assert verify(reader.directory) == before


def test_a_manifest_nested_without_end_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "deep.fleetrec"
    path.write_bytes(gzip.compress(b'{"h":"","r":' + b"[" * 100_000 + b"\n"))
    assert read_manifest(path) is None


def test_a_cache_that_cannot_be_written_is_told(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.fleetrec"
    export(ledger, path, redact=as_is)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(importing, "create_database", full)
    with pytest.raises(BadRecording, match="cache: database or disk is full"):
        open_recording(path, tmp_path)
