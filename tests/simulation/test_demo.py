"""The demo as it is started: one document, a recording that opens, and nothing left behind."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.main import run
from fleet_tui.core.ids import Seq
from fleet_tui.feed.recorded import RecordedFeed
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.recordings.importing import import_recording
from tests.support.documents import assert_known

WITHIN_S = 90.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Agents(msgspec.Struct, forbid_unknown_fields=True):
    total: int
    up: int


class Tasks(msgspec.Struct, forbid_unknown_fields=True):
    submitted: int
    succeeded: int
    failed: int
    held: int
    waiting: int
    running: int
    cancelled: int


class Document(msgspec.Struct, forbid_unknown_fields=True):
    schema: str
    seed: int
    scenario: str
    agents: Agents
    tasks: Tasks
    decisions: int
    events: int
    recording: str


@pytest.fixture
def fleets(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo keeps its directory while it plays."""
    directory = short_dir / "fleets"
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(directory))
    monkeypatch.setenv("XDG_DATA_HOME", str(short_dir / "data"))
    return directory


def demo(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "fleet_tui", "demo", "--headless", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def played(*words: str) -> Document:
    """What a whole run prints."""
    with demo(*words, "--json") as process:
        out, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, err.decode()
    assert err == b""
    assert_known(msgspec.json.decode(out))
    return msgspec.json.decode(out, type=Document)


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


@contextmanager
def long_demo(fleets: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A demo whose engine answers, with an hour to go."""
    with demo("--for", "1h") as process:
        try:
            until(lambda: any(fleets.rglob("engine.sock")), "the engine listens")
            yield process
        finally:
            process.kill()


def children_of(pid: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True
    ).stdout
    pairs = [line.split() for line in found.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has buried does not."""
    found = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout.strip()
    return bool(found) and not found.startswith("Z")


async def test_it_prints_one_document_and_its_recording_opens(fleets: Path, tmp_path: Path) -> None:
    document = played("--for", "8s", "--seed", "3")
    assert document.schema == "fleet-tui/demo/1"
    assert (document.seed, document.scenario) == (3, "default")
    assert document.agents.total == 20
    assert 0 < document.agents.up <= 20
    tasks = document.tasks
    open_or_done = (
        tasks.succeeded + tasks.failed + tasks.cancelled + tasks.held + tasks.waiting
    ) + tasks.running
    assert open_or_done == tasks.submitted
    assert document.decisions >= tasks.succeeded
    assert not list(fleets.iterdir())

    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    imported = import_recording(Path(document.recording), cache)
    assert imported.bad_record is None
    reader = JournalReader(Path(imported.directory))
    assert len(reader.read(Seq(0), 1_000_000)) == document.events
    reader.close()
    feed = RecordedFeed(Path(imported.directory))
    await feed.open()
    state = feed.view().state
    assert state.totals.submitted == tasks.submitted
    assert state.totals.decisions == document.decisions
    assert state.engine.stopped_at_ms is not None
    assert feed.end_ms - feed.start_ms > 29 * 60_000
    assert feed.take_lines()
    await feed.close()


def refused(*words: str) -> tuple[int, str]:
    """How a run that never begins ends, and what it says."""
    with demo(*words) as process:
        out, err = process.communicate(timeout=WITHIN_S)
    assert out == b""
    return process.returncode, err.decode()


def test_what_cannot_be_kept_is_said_before_anything_is_played(
    fleets: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there.fleetrec"
    there.write_text("mine")
    code, said = refused("-o", str(there))
    assert (code, "exists" in said) == (ExitCode.REFUSED, True)
    code, said = refused("-o", str(tmp_path / "no" / "x.fleetrec"))
    assert (code, "there is no directory" in said) == (ExitCode.FAILED, True)
    code, said = refused("--speed", "nan")
    assert (code, "not a number" in said) == (ExitCode.USAGE, True)
    assert there.read_text() == "mine"


def test_a_recording_is_asked_for_without_a_screen_only(
    fleets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "-o", "x.fleetrec"]) == ExitCode.USAGE
    assert "-o goes with --headless" in capsys.readouterr().err


def test_people_are_told_in_words_and_no_module_of_the_working_directory_is_run(
    fleets: Path, tmp_path: Path
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit('not ours')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fleet_tui", "demo", "--headless", "--for", "1s"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    agents, tasks, recording = done.stdout.splitlines()
    assert agents == "agents: 20 of 20 up"
    assert re.fullmatch(r"tasks: \d+ submitted, \d+ succeeded, .*; \d+ decisions", tasks)
    assert recording.startswith("recording: ")


@pytest.mark.parametrize("scenario", ["outage", "surge"])
def test_every_scenario_plays(fleets: Path, tmp_path: Path, scenario: str) -> None:
    path = tmp_path / "x.fleetrec"
    document = played("--for", "2s", "--scenario", scenario, "--speed", "5", "-o", str(path))
    assert document.scenario == scenario
    assert Path(document.recording) == path
    assert path.stat().st_mode & 0o077 == 0


def test_an_unknown_scenario_is_told(fleets: Path) -> None:
    with demo("--scenario", "flood") as process:
        _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == ExitCode.USAGE
    assert b"'default', 'outage', 'surge'" in err


def test_ctrl_c_leaves_nothing_behind(fleets: Path) -> None:
    with long_demo(fleets) as process:
        (child,) = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, out, err) == (ExitCode.INTERRUPTED, b"", b"")
    assert not is_alive(child)
    assert not list(fleets.iterdir())


def test_a_kill_leaves_nothing_behind(fleets: Path) -> None:
    with long_demo(fleets) as process:
        (child,) = children_of(process.pid)
        process.kill()
        process.wait(WITHIN_S)
        until(lambda: not is_alive(child), "the demo's process ends")
    assert not list(fleets.iterdir())


def test_it_says_why_it_cannot_start(fleets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleets.mkdir(mode=0o700)
    (fleets / "x").write_text("a file where a directory is needed")
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(fleets / "x"))
    with demo() as process:
        _, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == ExitCode.FAILED
    assert b"Traceback" not in err
    assert str(fleets / "x").encode() in err
