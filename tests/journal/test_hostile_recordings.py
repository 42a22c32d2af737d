"""Recordings that somebody made to do harm, each opened in a child with little memory."""

import gzip
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_tui.core.ids import AgentName
from fleet_tui.journal.errors import BadRecording
from fleet_tui.journal.ledger.chain import GENESIS
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.recordings import importing, unpacking
from fleet_tui.journal.recordings.importing import check_recording, import_recording, read_manifest
from fleet_tui.journal.recordings.recording import export
from fleet_tui.journal.recordings.unpacking import MAX_EXPANDED_BYTES, Cut, Unpacked
from fleet_tui.journal.telemetry.samples import SampleReader
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import opening, task_story

MIB = 1024 * 1024
GIB = 1024 * MIB
Records = list[dict[str, Any]]


@pytest.fixture
async def good(open_writer: Open, directory: Path, tmp_path: Path) -> Path:
    """A recording as it should be."""
    writer = await open_writer()
    await writer.append(opening(), NOW_MS)
    for number in range(1, 4):
        await writer.append(task_story(number), NOW_MS + number)
    path = tmp_path / "good.fleetrec"
    export(directory, path, redact=str)
    return path


def records_of(path: Path) -> Records:
    with gzip.open(path) as lines:
        return [json.loads(line)["r"] for line in lines]


def chained(records: Iterable[dict[str, Any] | bytes]) -> Iterator[bytes]:
    """Lines whose hashes are right, whatever is in them."""
    digest = GENESIS
    for record in records:
        packed = record if isinstance(record, bytes) else json.dumps(record).encode()
        digest = sha256(digest + packed).digest()
        yield b'{"h":"%s","r":%s}\n' % (digest.hex()[:16].encode(), packed)


def written(path: Path, records: Iterable[dict[str, Any] | bytes], level: int = 1) -> Path:
    with gzip.open(path, "wb", level) as out:
        out.writelines(chained(records))
    return path


def bomb(path: Path, beginning: bytes, repeated: bytes, count: int) -> Path:
    """A file of ``beginning`` and many times the same, made without compressing each."""
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS + 16)
    head = pack.compress(beginning) + pack.flush(zlib.Z_FULL_FLUSH)
    block = pack.compress(repeated) + pack.flush(zlib.Z_FULL_FLUSH)
    with path.open("wb") as file:
        file.write(head)
        for _ in range(count):
            file.write(block)
    return path


def opened(path: Path, *bounds: str) -> dict[str, Any]:
    """How opening it ends in a child under limits; nothing may be left but the recording."""
    cache = path.with_name(f"{path.stem}-cache")
    done = subprocess.run(
        [sys.executable, "-m", "tests.journal.opener", str(path), str(cache), *bounds],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert not list(cache.glob("*.new")), "nothing half built is left"
    end: dict[str, Any] = json.loads(done.stdout)
    assert ("refused" in end) == (not list(cache.iterdir()))
    return end


def test_a_good_one_opens_under_the_same_limits(good: Path) -> None:
    end = opened(good)
    assert end["events"] == len(records_of(good)) - 2
    assert end["reason"] == ""


def test_a_gibibyte_of_newlines_is_refused_at_once(tmp_path: Path) -> None:
    end = opened(bomb(tmp_path / "x.fleetrec", b"\n", b"\n" * MIB, 1_024))
    assert "does not begin with a manifest" in end["refused"]
    assert end["expanded"] <= 4 * MIB


def test_newlines_behind_a_manifest_are_refused_as_soon(good: Path) -> None:
    first = next(chained(records_of(good)))
    end = opened(bomb(good.with_name("x.fleetrec"), first, b"\n" * MIB, 1_024))
    assert "1,001 lines are no records" in end["refused"]
    assert end["expanded"] <= 4 * MIB


@pytest.mark.parametrize(
    ("beginning", "repeated"),
    [(b"", bytes(MIB)), (b"{", b"[" * MIB), (b'{"h":"', b"x" * MIB)],
    ids=["zeros", "an endless list", "an endless text"],
)
def test_a_line_without_an_end_is_not_read_to_it(
    tmp_path: Path, beginning: bytes, repeated: bytes
) -> None:
    end = opened(bomb(tmp_path / "x.fleetrec", beginning, repeated, 2_048))
    assert "does not begin with a manifest" in end["refused"]
    assert end["expanded"] <= 16 * MIB


def test_what_expands_too_much_is_refused(good: Path) -> None:
    """Lines of log of 4 MiB each, more than 200 times as large as what is read of them."""
    manifest, first, *_ = records_of(good)
    line = {"received_at_ms": 1, "source": None, "level": 2, "text": ["A" * (4 * MIB)]}
    big = json.dumps({"t": "line", "line": line}).encode()
    lines = list(chained([manifest, first]))
    hashed = b'{"h":"%s","r":%s}\n' % (b"0" * 16, big)
    end = opened(bomb(good.with_name("x.fleetrec"), b"".join(lines), hashed, 600))
    assert "more than 200 times as many" in end["refused"]
    assert end["expanded"] <= 64 * MIB


def test_a_line_of_log_that_no_engine_keeps_is_left_out(good: Path) -> None:
    manifest, first, *_ = records_of(good)
    line = {"received_at_ms": 1, "source": None, "level": 2, "text": ["A" * (4 * MIB)]}
    path = written(good.with_name("x.fleetrec"), [manifest, first, {"t": "line", "line": line}])
    end = opened(path)
    assert (end["events"], end["lines"]) == (1, 0)
    assert "longer than any that is kept" in end["reason"]


def submissions(count: int, text: str) -> Iterator[dict[str, Any]]:
    for number in range(1, count + 1):
        body = {
            "kind": "task.submitted", "task": f"01J{number:023d}", "number": number,
            "key": f"k{number}", "spec": {"payload": [text]}, "by": "x",
            "payload_sha256": os.urandom(32).hex(),
        }  # fmt: skip
        yield {"t": "event", "seq": number + 1, "at_ms": 1, "epoch": 1, "v": 1,
               "kind": "task.submitted", "body": body}  # fmt: skip


def test_tasks_that_do_not_fit_into_memory_are_refused(good: Path) -> None:
    """One wide character makes a text four times as large in memory as in the file."""
    manifest, first, *_ = records_of(good)
    text = os.urandom(20_000).hex() + "\U0001f600" + "a" * (2 * MIB)
    records = [manifest, {**first, "seq": 1}, *submissions(40, text)]
    path = written(good.with_name("x.fleetrec"), records)
    end = opened(path, f"MAX_MEMORY_BYTES={64 * MIB}")
    assert "bytes of memory" in end["refused"]
    end = opened(path, f"MAX_MEMORY_BYTES={4 * GIB}")
    assert end["events"] == 41


def test_a_process_without_memory_says_so(good: Path) -> None:
    manifest, first, *_ = records_of(good)
    text = os.urandom(20_000).hex() + "\U0001f600" + "a" * (3 * MIB)
    records = [manifest, {**first, "seq": 1}, *submissions(150, text)]
    path = written(good.with_name("x.fleetrec"), records)
    end = opened(path, f"MAX_MEMORY_BYTES={64 * GIB}")
    assert "there is not enough memory" in end["refused"]


def test_two_gibibytes_are_the_most_that_a_recording_may_expand_to() -> None:
    assert MAX_EXPANDED_BYTES == 2 * GIB


@pytest.mark.parametrize(
    ("bound", "says"),
    [
        ("MAX_EXPANDED_BYTES=900", "more than 900 bytes come out of it"),
        ("MAX_RECORDS=7", "more than 7 records"),
        ("MAX_SECONDS=-1", "seconds it is not at its end"),
        (f"KEEP_FREE_BYTES={2**62}", "bytes left"),
    ],
)
def test_each_bound_is_told(good: Path, bound: str, says: str) -> None:
    end = opened(good, bound)
    assert says in end["refused"]


def test_what_could_not_be_opened_again_is_not_exported(
    good: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.journal.recordings.recording.MAX_RECORDS", 7)
    with pytest.raises(BadRecording, match="too large to be opened"):
        export(directory, good.with_name("y.fleetrec"), redact=str)
    assert not good.with_name("y.fleetrec").exists()


def test_a_file_larger_than_the_system_allows_is_told(good: Path) -> None:
    manifest, first, *_ = records_of(good)
    text = os.urandom(300_000).hex()
    records = [manifest, {**first, "seq": 1}, *submissions(20, text)]
    path = written(good.with_name("x.fleetrec"), records)
    command = f"""
import resource, signal
from pathlib import Path
from fleet_tui.journal.errors import BadRecording
from fleet_tui.journal.recordings.importing import import_recording
resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, {MIB}))
try:
    import_recording(Path({str(path)!r}), Path({str(good.with_name("small"))!r}))
except BadRecording as error:
    print("told", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("told cannot open the recording")
    assert not list(good.with_name("small").iterdir())


def test_members_one_after_the_other_are_one_file(good: Path) -> None:
    """As RFC 1952 has it, and as every gzip reads it: what is cut is where a line is, or is not."""
    whole = gzip.decompress(good.read_bytes())
    path = good.with_name("x.fleetrec")
    for cut in (0, 1, whole.index(b"\n") + 1, len(whole) // 2):
        parts = [b"", whole[:cut], b"", b"", whole[cut:]]
        path.write_bytes(b"".join(map(gzip.compress, parts)))
        end = opened(path)
        assert (end["events"], end["reason"]) == (len(records_of(good)) - 2, "")


def test_what_is_damaged_in_the_middle_opens_up_to_there(good: Path) -> None:
    """A changed bit can make noise of all that follows: thousands of lines that are no records."""
    lines = list(chained(records_of(good)))
    noise = b"".join(b"noise %d\n" % number for number in range(5_000))
    path = good.with_name("x.fleetrec")
    path.write_bytes(gzip.compress(b"".join(lines[:6]) + noise + b"".join(lines[6:])))
    end = opened(path)
    assert (end["events"], end["reason"]) == (5, "a line is not a record")


def test_records_behind_the_closing_one_are_not_taken_for_noise(good: Path) -> None:
    lines = gzip.decompress(good.read_bytes()).splitlines(keepends=True)
    path = good.with_name("x.fleetrec")
    path.write_bytes(gzip.compress(b"".join(lines + lines[1:-1] * 400)))
    end = opened(path)
    assert (end["events"], end["reason"]) == (
        len(lines) - 2,
        "something follows the closing record",
    )


@pytest.mark.parametrize("place", [-8, -4])
def test_a_wrong_checksum_is_no_cut(good: Path, place: int) -> None:
    data = bytearray(good.read_bytes())
    data[place] ^= 1
    path = good.with_name("x.fleetrec")
    path.write_bytes(data)
    assert opened(path)["reason"] == "its compressed data is damaged"


def test_a_file_larger_than_any_recording_is_not_read_through(tmp_path: Path) -> None:
    path = tmp_path / "x.fleetrec"
    path.write_bytes(b"\x1f\x8b")
    os.truncate(path, 40 * GIB)
    end = opened(path)
    assert "too large to open" in end["refused"]
    assert end["expanded"] == 0


def test_snapshots_of_a_large_state_take_no_more_room_than_its_events(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A megabyte that is not compressed away, and many small events: each snapshot has it all."""
    manifest, first, *_ = records_of(good)
    records: Records = [manifest, {**first, "seq": 1}, *submissions(4, os.urandom(250_000).hex())]
    small = {"kind": "note.added", "by": "x", "text": ["a"]}
    records += [
        {"t": "event", "seq": seq, "at_ms": 1, "epoch": 1, "v": 1, "kind": "note.added",
         "body": small}
        for seq in range(6, 4_006)
    ]  # fmt: skip
    monkeypatch.setattr(importing, "SNAPSHOT_EVERY", 100)
    monkeypatch.setattr(importing, "BATCH", 100)
    path = written(good.with_name("x.fleetrec"), records)
    found = Path(import_recording(path, good.with_name("cache")).directory)
    sizes = [file.stat().st_size for file in found.glob("snapshot-*")]
    assert sizes
    assert sum(sizes) <= sum(len(json.dumps(record)) for record in records)


ODD = {
    "nested": gzip.compress,
    "many members": lambda data: data + gzip.compress(b"") * 100_000,
    "a second recording behind it": lambda data: data + data,
    "cut": lambda data: data[: len(data) // 2],
    "zeros behind it": lambda data: data + bytes(4 * MIB),
    "a wrong checksum": lambda data: data[:-8] + bytes(8),
    "noise": lambda data: data[:200] + os.urandom(100_000),
    "an endless name in its header": lambda data: (
        data[:3] + b"\x08" + data[4:10] + b"n" * MIB + data[10:]
    ),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_files_end_soon(good: Path, odd: Any) -> None:
    path = good.with_name("x.fleetrec")
    path.write_bytes(odd(good.read_bytes()))
    end = opened(path)
    assert end.get("refused") or end["reason"], "it is not what was exported"
    assert end["expanded"] <= 16 * MIB
    read_manifest(path)


def test_a_million_tiny_records_that_mean_nothing_are_gone_through_once(good: Path) -> None:
    manifest, first, *_ = records_of(good)
    beginning = b"".join(chained([manifest, first]))
    path = good.with_name("x.fleetrec")
    with gzip.open(path, "wb", 1) as out:
        out.write(beginning)
        out.write(b'{"h":"","r":{}}\n' * 300_000)
    end = opened(path)
    assert end["events"] == 1
    assert "hashes breaks" in end["reason"]


def test_events_that_do_not_fit_cost_little_however_many(good: Path) -> None:
    """Each is found by folding again; after so many nothing is folded any more."""
    manifest, first, *_ = records_of(good)
    bad = {"kind": "attempt.started", "run": "no-run-id"}
    records: Records = [manifest, {**first, "seq": 1}]
    for number in range(2, 4_002):
        records.append(
            {"t": "event", "seq": number, "at_ms": first["at_ms"], "epoch": 1, "v": 1,
             "kind": "attempt.started", "body": bad}
        )  # fmt: skip
    end = opened(written(good.with_name("x.fleetrec"), records))
    assert end["events"] == 4_001
    assert "does not fit" in end["reason"]


HOSTILE: list[Any] = [
    None, True, -1, 10**30, 2**63, -(2**63) - 1, 1e308, "", "x" * 5_000, [], {}, [[]], "t-1",
    "\u202e\x00\x1b[2J",
]  # fmt: skip


def paths_in(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something could stand instead."""
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from paths_in(value[key], (*at, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from paths_in(each, (*at, place))


def replaced(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_stands_in_a_record_it_is_opened_and_looked_at_or_refused(
    good: Path, data: st.DataObject
) -> None:
    records: list[Any] = records_of(good)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(records) - 1))
        at = data.draw(st.sampled_from(list(paths_in(records[place]))))
        records[place] = replaced(records[place], at, data.draw(st.sampled_from(HOSTILE)))
    path = written(good.with_name("x.fleetrec"), records)
    try:
        found = import_recording(path, good.with_name("cache"))
    except BadRecording:
        return
    look_at(Path(found.directory))


def look_at(directory: Path) -> None:
    """What a review reads."""
    with closing(JournalReader(directory)) as reader:
        state = reader.load()
        msgspec.json.encode(state)
        for number in range(5):
            reader.retell(f"t-{number}", until=state.seq)
        reader.sessions()
        verify(reader.directory)
    with closing(SampleReader(directory)) as samples:
        samples.latest_probes()
        samples.agent_series(AgentName("agent-01"))
        samples.fleet_samples(0, 2**53, 10)


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000])
@pytest.mark.parametrize("where", ["event", "sample", "line"])
def test_a_record_nested_without_end_is_passed_over(good: Path, deep: bytes, where: str) -> None:
    manifest, first, *_ = records_of(good)
    closed = deep + (b"]" if deep[:1] == b"[" else b"0" + b"}") * 100_000
    record = {
        "event": b'{"t":"event","seq":9,"at_ms":1,"epoch":1,"v":1,"kind":"note.added","body":%s}',
        "sample": b'{"t":"sample","at_ms":1,"agent":"agent-01","body":%s}',
        "line": b'{"t":"line","line":%s}',
    }[where] % closed
    end = opened(written(good.with_name("x.fleetrec"), [manifest, first, record]))
    assert end["events"] >= 1
    assert end["reason"]


HANGING = """
import sys, time
from fleet_tui.cli.main import run
from fleet_tui.journal.recordings import importing
def add(*_):
    print("building", flush=True)
    time.sleep(600)
importing._Store.add = add
sys.exit(run(["verify", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("number", "code", "left"),
    [
        (signal.SIGTERM, 128 + signal.SIGTERM, 0),
        (signal.SIGHUP, 128 + signal.SIGHUP, 0),
        (signal.SIGINT, 130, 0),
        (signal.SIGKILL, -signal.SIGKILL, 1),
    ],
)
def test_a_verify_that_is_ended_leaves_nothing_or_the_next_one_removes_it(
    good: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int, left: int
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(good.parent / "caches"))
    cache = good.parent / "caches" / "fleet-tui" / "recordings"
    command = [sys.executable, "-c", HANGING, str(good)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "building\n"
        (building,) = cache.glob("*.new")
        check_recording(good, cache)
        assert building.exists(), "its process lives"
        process.send_signal(number)
        assert process.wait(60) == code
    assert len(list(cache.iterdir())) == left
    check_recording(good, cache)
    assert not list(cache.iterdir())


def test_checking_believes_nothing_that_was_opened_before(good: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    kept = import_recording(good, cache)
    (Path(kept.directory) / importing.VERDICT_NAME).write_bytes(b"{}")
    assert check_recording(good, cache).events == kept.events
    assert [p.name for p in cache.iterdir()] == [Path(kept.directory).name]


def test_lines_come_whole_whatever_they_are_cut_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [b"a" * n + b"\n" for n in (0, 1, 7, 300, 0, 5)]
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(b"".join(lines)))
    for block in (1, 2, 3, 1_000):
        monkeypatch.setattr(unpacking, "_BLOCK_BYTES", block)
        monkeypatch.setattr(unpacking, "_READ_BYTES", block)
        assert list(Unpacked(path, max_bytes=1_000).lines()) == lines
    path.write_bytes(gzip.compress(b"whole\npart"))
    found = Unpacked(path, max_bytes=1_000).lines()
    assert next(found) == b"whole\n"
    with pytest.raises(Cut, match="cut short"):
        next(found)


@pytest.mark.timeout(20)
def test_a_pipe_is_no_recording_and_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "x.fleetrec"
    os.mkfifo(pipe, 0o600)
    assert read_manifest(pipe) is None
    with pytest.raises(BadRecording, match="no regular file"):
        import_recording(pipe, tmp_path / "cache")
    with pytest.raises(BadRecording, match="no regular file"):
        check_recording(pipe, tmp_path / "cache")
