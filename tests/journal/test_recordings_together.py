"""Several processes and one recording: whatever one of them does, none shows half of it."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.config.load import load_fleet
from fleet_tui.core.ids import NOWHERE
from fleet_tui.journal.errors import BadRecording
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.recordings import importing
from fleet_tui.journal.recordings.importing import ImportedRecording, import_recording
from fleet_tui.journal.recordings.in_use import DirectoryInUse
from fleet_tui.journal.recordings.recording import export
from fleet_tui.sim.demo.process import write_history
from tests.support import surroundings

IMPORT = (
    "import sys; from pathlib import Path; from fleet_tui.journal.recordings.importing import *;"
    "print(import_recording(Path(sys.argv[1]), Path(sys.argv[2])).events)"
)
WITHIN_S = 60.0


def as_is(text: str) -> str:
    return text


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    """A recording of two minutes. Nothing here writes to it."""
    base = surroundings.short_dir()
    fleet = load_fleet(sample_fleet("demo"), {}).spec
    asyncio.run(write_history(base / "past", fleet, seed=3, minutes=2))
    export(base / "past", base / "past.fleetrec", redact=as_is)
    yield base / "past.fleetrec"
    surroundings.remove(base)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def importer(file: Path, cache: Path) -> "subprocess.Popen[bytes]":
    """A process that opens the recording."""
    return subprocess.Popen(
        [sys.executable, "-c", IMPORT, str(file), str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def whole(found: ImportedRecording) -> bool:
    """Whether all of it can be read."""
    reader = JournalReader(Path(found.directory))
    try:
        read = reader.read(NOWHERE, 1_000_000)
        return found.intact and len(read) == found.events and verify(reader.directory).intact
    finally:
        reader.close()


def names(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def begun(cache: Path) -> bool:
    return cache.is_dir() and any(cache.glob("*.new"))


def in_its_events(cache: Path) -> bool:
    return cache.is_dir() and any(
        path.stat().st_size > 20_000 for path in cache.glob("*.new/events-*.db")
    )


def has_its_place(cache: Path) -> bool:
    return cache.is_dir() and any(path.suffix != ".new" for path in cache.iterdir())


@pytest.mark.parametrize("moment", [begun, in_its_events, has_its_place])
def test_an_import_that_is_killed_leaves_nothing_that_looks_whole(
    file: Path, cache: Path, moment: Callable[[Path], bool]
) -> None:
    for _ in range(3):
        process = importer(file, cache)
        deadline = time.monotonic() + WITHIN_S
        while not moment(cache) and process.poll() is None:
            assert time.monotonic() < deadline
        process.kill()
        process.communicate()
        assert whole(import_recording(file, cache))
        assert len(names(cache)) == 1
        shutil.rmtree(cache)


def test_what_a_killed_process_left_is_gone_also_when_the_recording_was_opened_before(
    file: Path, cache: Path
) -> None:
    found = import_recording(file, cache)
    (cache / "left.new").mkdir(0o700)
    (cache / "left.new" / "events-0000000000000001.db").touch(0o600)
    assert import_recording(file, cache) == found
    assert names(cache) == [Path(found.directory).name]


def test_of_many_that_open_it_at_once_each_sees_all_of_it(file: Path, cache: Path) -> None:
    processes = [importer(file, cache) for _ in range(4)]
    processes[0].send_signal(signal.SIGKILL)
    ends = [process.communicate() for process in processes]
    found = import_recording(file, cache)
    assert [end for end in ends[1:] if end != (f"{found.events}\n".encode(), b"")] == []
    assert whole(found)
    assert len(names(cache)) == 1


LOSSES = {
    "its events": "events-*",
    "its head": "head",
    "its log": "logs-*",
    "its samples": "samples-*",
    "what was found": "recording.json",
    "all of its files": "*",
}


@pytest.mark.parametrize("lost", LOSSES)
def test_what_somebody_deleted_a_part_of_is_opened_anew(file: Path, cache: Path, lost: str) -> None:
    before = import_recording(file, cache)
    for path in Path(before.directory).glob(LOSSES[lost]):
        path.unlink()
    found = import_recording(file, cache)
    assert found == before
    assert whole(found)
    assert len(names(cache)) == 1


def test_one_that_was_cut_since_is_opened_anew(file: Path, cache: Path) -> None:
    found = import_recording(file, cache)
    (events,) = Path(found.directory).glob("events-*")
    with events.open("r+b") as stream:
        stream.truncate(4_096)
    assert whole(import_recording(file, cache))


def test_what_is_looked_at_is_not_evicted(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MAX_CACHED_RECORDINGS", 1)
    first = import_recording(file, cache)
    os.utime(first.directory, (0, 0))
    held = DirectoryInUse(Path(first.directory))
    other = file.with_name("other.fleetrec")
    export(file.with_name("past"), other, until_ms=first.manifest.until_ms - 1, redact=as_is)
    second = import_recording(other, cache)
    assert whole(first)
    held.close()
    os.utime(first.directory, (0, 0))
    third = file.with_name("third.fleetrec")
    export(file.with_name("past"), third, until_ms=first.manifest.until_ms - 60_000, redact=as_is)
    last = import_recording(third, cache)
    assert names(cache) == [Path(last.directory).name]
    assert second.directory != last.directory


def test_an_eviction_that_is_killed_leaves_nothing_that_looks_whole(
    file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory loses its name first."""
    found = import_recording(file, cache)

    remove = shutil.rmtree

    def killed(path: Path, **_: object) -> None:
        if path.name.startswith(Path(found.directory).name):
            raise InterruptedError(path)
        remove(path, ignore_errors=True)

    monkeypatch.setattr(importing, "MAX_CACHED_RECORDINGS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        other = file.with_name("other.fleetrec")
        export(file.with_name("past"), other, until_ms=found.manifest.until_ms - 1, redact=as_is)
        os.utime(found.directory, (0, 0))
        with pytest.raises(BadRecording):
            import_recording(other, cache)
    assert not Path(found.directory).exists()
    assert whole(import_recording(file, cache))
    assert len(names(cache)) == 1
