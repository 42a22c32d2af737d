"""What an operator meets when the engine can do less: frozen, a damaged journal, a full disk."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.modes import TROUBLES, EngineMode, Trouble
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.attached import AttachedFeed
from fleet_tui.journal.ledger.segments import numbered_files
from tests.acceptance.rig import MakeRig, Rig
from tests.support.needs import not_allowed

LOCAL = """
defaults: {kind: local, run_dir: %s, probe: {every: 200ms, timeout: 5s}}
agents:
  echo: {command: [cat], slots: 4}
"""
DISK_BYTES = 8 * 1024 * 1024


def local_fleet(make_rig: MakeRig, directory: Path) -> Rig:
    return make_rig(LOCAL % (directory / "runs"))


def document(rig: Rig, *words: str) -> tuple[int, dict[str, object]]:
    done = rig.cli(*words, "--json")
    assert b"Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def mode_of(rig: Rig) -> dict[str, object]:
    _, status = document(rig, "status", str(rig.file))
    engine = status["engine"]
    assert isinstance(engine, dict)
    return engine


def in_mode(rig: Rig, mode: EngineMode) -> Callable[[], bool]:
    return lambda: mode_of(rig)["mode"] == mode.value


async def works(rig: Rig, text: str) -> None:
    before = len(rig.tasks())
    rig.submit(text)
    await rig.until(lambda: len(rig.tasks()) == before + 1, 60, "the task is in the ledger")
    await rig.until(lambda: rig.tasks()[-1].phase is TaskPhase.SUCCEEDED, 60, "the task succeeds")


def stop(rig: Rig) -> None:
    """End the engine in good order, with nobody else at the ledger: all of it is in its file."""
    process, rig.process = rig.process, None
    assert process is not None
    rig.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def change_an_event(directory: Path, seq: int) -> None:
    """One bit of one event, as a bad disk does it."""
    (_, path) = numbered_files(directory, "events")[-1]
    with closing(sqlite3.connect(path)) as database, database:
        (body,) = database.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
        changed = bytes([body[0] ^ 1]) + body[1:]
        database.execute("UPDATE events SET body = ? WHERE seq = ?", (changed, seq))


async def test_a_frozen_fleet_stays_frozen_over_a_crash_until_it_is_thawed(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    await works(rig, "before")
    assert rig.cli("freeze", str(rig.file), "--reason", "moving house").returncode == 0
    rig.kill()
    rig.start()
    code, status = document(rig, "status", str(rig.file))
    assert code == ExitCode.FAILED
    assert status["healthy"] is False
    assert mode_of(rig)["mode"] == "hold"
    text = rig.cli("status", str(rig.file)).stdout.decode()
    assert "engine FROZEN" in text
    assert "moving house" in text
    assert "fleet-tui thaw" in text
    rig.submit("waits")
    await rig.until(lambda: len(rig.tasks()) == 2, 60, "it is stored")
    assert rig.tasks()[-1].phase is TaskPhase.WAITING
    assert rig.cli("thaw", str(rig.file)).returncode == 0
    await rig.until(lambda: rig.tasks()[-1].phase is TaskPhase.SUCCEEDED, 60, "it runs")
    assert rig.cli("thaw", str(rig.file)).returncode == ExitCode.REFUSED


async def test_an_engine_with_a_damaged_journal_shows_what_it_trusts_and_takes_nothing(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    await works(rig, "one")
    await works(rig, "two")
    last = rig.events()[-1].seq
    two = next(t for t in rig.tasks() if t.label == "t-2")
    bad = min(r.seq for r in rig.events() if getattr(r.event, "task", None) == two.id)
    stop(rig)
    change_an_event(rig.directory, bad)
    before = numbered_files(rig.directory, "events")[-1][1].read_bytes()
    rig.start()
    mode = mode_of(rig)
    assert mode["mode"] == "recovery"
    assert mode["trusted_seq"] == bad - 1
    assert f"events {bad} to" in str(mode["mode_reason"])
    text = rig.cli("status", str(rig.file)).stdout.decode()
    assert "fleet-tui verify" in text
    refused = rig.cli("submit", "-f", str(rig.file), "three")
    assert refused.returncode == ExitCode.REFUSED
    assert b"RECOVERY" in refused.stderr

    console = AttachedFeed(rig.directory, by="tester")
    await console.open()
    view = console.view()
    assert view.engine.mode is EngineMode.RECOVERY
    assert view.state.seq == bad - 1 < last
    assert [t.label for t in view.state.closed_tasks.values()] == ["t-1"]
    assert (await console.history(100))[-1].seq == bad - 1
    await console.close()
    rig.cli("stop", str(rig.file))
    assert rig.process is not None
    assert rig.process.wait(30) == 0
    rig.process = None
    assert numbered_files(rig.directory, "events")[-1][1].read_bytes() == before


@pytest.mark.parametrize("harm", ["empty", "garbage", "truncated", "gone", "head"])
async def test_whatever_the_harm_an_engine_starts_and_says_so(
    make_rig: MakeRig, short_dir: Path, harm: str
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    await works(rig, "one")
    stop(rig)
    (_, path) = numbered_files(rig.directory, "events")[-1]
    content = path.read_bytes()
    match harm:
        case "empty":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(os.urandom(len(content)))
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "gone":
            path.unlink()
        case _:
            (rig.directory / "head").write_text("nonsense\n")
    rig.start()
    assert mode_of(rig)["mode"] == "recovery"
    console = AttachedFeed(rig.directory, by="tester")
    await console.open()
    assert console.view().engine.mode is EngineMode.RECOVERY
    await console.close()


@pytest.fixture
def small_disk(short_dir: Path) -> Iterator[Path]:
    """A disk of its own, of DISK_BYTES."""
    if os.geteuid() != 0:
        not_allowed("only root may mount a disk")
    place = short_dir / "disk"
    place.mkdir(mode=0o700)
    options = f"size={DISK_BYTES},mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        not_allowed(f"this machine does not let us mount: {mounted.stderr.decode()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(path: Path) -> None:
    """Take all the room there is."""
    with path.open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


async def test_a_full_disk_loses_nothing_and_is_over_when_there_is_room(
    make_rig: MakeRig, short_dir: Path, small_disk: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.env["FLEET_TUI_STATE_DIR"] = str(small_disk)
    rig.directory = small_disk / rig.directory.name
    rig.start()
    await works(rig, "before")
    assert (rig.directory / "ballast").stat().st_size == DISK_BYTES // 16
    filler = small_disk / "filler"
    taken = 0
    console = AttachedFeed(rig.directory, by="tester")
    await console.open()
    while True:
        fill(filler)
        done = rig.cli("submit", "-f", str(rig.file), f"task {taken} {'x' * 4_000}")
        if done.returncode:
            break
        taken += 1
        assert taken < 500, "the disk is never full"
    assert done.returncode == ExitCode.REFUSED
    assert b"READ-ONLY" in done.stderr
    assert b"disk is full" in done.stderr
    assert mode_of(rig)["mode"] == "read-only"
    assert not (rig.directory / "ballast").exists()
    while console.view().engine.mode is not EngineMode.READ_ONLY:
        await console.changed()
    reply = await console.send(AddNote(text=Untrusted("hello")))
    assert isinstance(reply, Refused)
    assert reply.code == "read-only-mode"
    filler.unlink()
    await rig.until(in_mode(rig, EngineMode.NORMAL), 60, "it is normal again within ten seconds")
    await works(rig, "after")
    assert (rig.directory / "ballast").exists()
    assert len(rig.tasks()) == taken + 2
    await rig.until(lambda: not rig.state().open_tasks, 60, "everything that was taken is done")
    assert {t.phase for t in rig.tasks()} == {TaskPhase.SUCCEEDED}
    await console.close()


async def test_an_engine_starts_on_a_full_disk_and_begins_when_there_is_room(
    make_rig: MakeRig, short_dir: Path, small_disk: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.env["FLEET_TUI_STATE_DIR"] = str(small_disk)
    rig.directory = small_disk / rig.directory.name
    rig.start()
    await works(rig, "before")
    rig.kill()
    (rig.directory / "ballast").unlink()
    fill(small_disk / "filler")
    rig.start()
    await rig.until(in_mode(rig, EngineMode.READ_ONLY), 60, "it says that the disk is full")
    assert rig.cli("submit", "-f", str(rig.file), "no").returncode == ExitCode.REFUSED
    (small_disk / "filler").unlink()
    await rig.until(in_mode(rig, EngineMode.NORMAL), 60, "it is normal within ten seconds")
    await works(rig, "after")


async def test_another_programs_lock_is_answered_at_once_and_restarts_nothing(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.start()
    await works(rig, "before")
    epoch = rig.state().engine.epoch
    (_, segment) = numbered_files(rig.directory, "events")[-1]
    holding = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)"
    holding += "; c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", holding, segment], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    refused = rig.cli("submit", "-f", str(rig.file), "meanwhile")
    assert refused.returncode == ExitCode.REFUSED
    assert b"another program holds a lock" in refused.stderr
    assert b"restore" not in refused.stderr
    if sys.platform.startswith("linux"):
        assert f"pid {other.pid}".encode() in refused.stderr
    mode = mode_of(rig)
    assert mode["mode"] == "read-only"
    assert "lock" in str(mode["mode_reason"])
    other.communicate(b"")
    await rig.until(in_mode(rig, EngineMode.NORMAL), 60, "it goes on by itself")
    await works(rig, "after")
    assert rig.state().engine.epoch == epoch


async def test_a_read_only_file_system_is_said_and_over_when_it_can_be_written(
    make_rig: MakeRig, short_dir: Path, small_disk: Path
) -> None:
    rig = local_fleet(make_rig, short_dir)
    rig.env["FLEET_TUI_STATE_DIR"] = str(small_disk)
    rig.directory = small_disk / rig.directory.name
    rig.start()
    await works(rig, "before")
    stop(rig)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    process = rig.spawn()
    assert await asyncio.to_thread(process.wait, 30) == ExitCode.FAILED
    said = rig.output.read_text()
    row = TROUBLES[Trouble.READ_ONLY_FILE_SYSTEM]
    assert row.words in said
    assert f"{row.advice}; then start the engine again" in said
    assert "by itself" not in said
    assert "restore" not in said
    assert "Traceback" not in said
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    rig.start()
    await works(rig, "after")
