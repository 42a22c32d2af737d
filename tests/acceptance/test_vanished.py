"""Files of a running engine that vanish: they are made again, or the engine ends with the true
reason. Never one that only a pid can reach; nothing that was acknowledged is lost or doubled."""

import asyncio
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.base.paths import socket_path
from fleet_tui.cli import engine as engine_commands
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import TaskId
from fleet_tui.core.modes import Trouble
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.journal.ledger.holding import proven_holder
from fleet_tui.journal.ledger.verifying import verify
from tests.acceptance.rig import MakeRig, Rig

LOAD = 12
PROGRAM = """
defaults: {kind: local, run_dir: %(base)s/runs, probe: {every: 200ms, timeout: 5s}}
agents:
  noting: {command: [sh, -c, 'read -r n; echo "$n" >> %(base)s/done'], slots: 4}
"""


def noting_fleet(make_rig: MakeRig, directory: Path) -> Rig:
    """Each run leaves a line in the file ``done``."""
    return make_rig(PROGRAM % {"base": directory})


async def load(rig: Rig, first: int, count: int) -> list[TaskId]:
    """Submit tasks that must run once, several at a time, until each is acknowledged."""
    return list(
        await asyncio.gather(
            *(
                rig.submit_until_taken(f"n{number}\n", TaskClass.ONCE, f"k{number}")
                for number in range(first, first + count)
            )
        )
    )


async def all_done_once(rig: Rig, tasks: list[TaskId], directory: Path) -> None:
    """Every acknowledged task is in the ledger and ran exactly once."""
    await rig.until(
        lambda: {t.id for t in rig.tasks() if t.phase is TaskPhase.SUCCEEDED} >= set(tasks),
        60,
        "every acknowledged task succeeds",
    )
    ran = sorted((directory / "done").read_text().split())
    assert ran == sorted(f"n{number}" for number in range(len(tasks)))
    assert len(rig.tasks()) == len(tasks)


def vanish(rig: Rig, what: str) -> None:
    match what:
        case "socket":
            socket_path(rig.directory).unlink()
        case "socket replaced":
            socket_path(rig.directory).unlink()
            socket_path(rig.directory).write_text("")
        case "lock":
            (rig.directory / "engine.lock").unlink()
        case "lock replaced":
            (rig.directory / "engine.lock").unlink()
            (rig.directory / "engine.lock").touch(mode=0o600)
        case "head":
            (rig.directory / "head").unlink()
        case "head overwritten":
            (rig.directory / "head").write_text("nonsense\n")
        case "write-ahead log":
            for path in rig.directory.glob("events-*.db-*"):
                path.unlink()
        case _:
            for name in ("engine.sock", "engine.lock", "head"):
                (rig.directory / name).unlink()


@pytest.mark.parametrize(
    "what",
    [
        *("socket", "socket replaced", "lock", "lock replaced"),
        *("head", "head overwritten", "write-ahead log", "all three"),
    ],
)
async def test_what_vanishes_under_load_is_made_again(
    make_rig: MakeRig, short_dir: Path, what: str
) -> None:
    rig = noting_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    pid = rig.process.pid
    tasks = await load(rig, 0, LOAD)
    working = asyncio.create_task(load(rig, LOAD, LOAD))
    vanish(rig, what)
    tasks += await working
    await rig.until(rig.answers, 60, "it answers at its socket")
    tasks += await load(rig, 2 * LOAD, 2)
    await all_done_once(rig, tasks, short_dir)
    assert rig.process.poll() is None
    holder = proven_holder(rig.directory)
    assert holder is not None
    assert holder.pid == pid
    if what != "write-ahead log":
        await rig.until(
            lambda: Trouble.FILES_REPLACED in rig.state().engine.troubles, 60, "it is told"
        )
        assert "engine" in rig.cli("status", str(rig.file)).stdout.decode()
    done = rig.cli("stop", str(rig.file))
    assert done.returncode == ExitCode.OK, done.stderr
    assert await asyncio.to_thread(rig.process.wait, 20) == 0
    rig.process = None
    assert verify(rig.directory).intact


@pytest.mark.parametrize("what", ["socket", "lock", "lock replaced", "all three"])
async def test_what_vanishes_under_an_engine_in_recovery_is_made_again(
    make_rig: MakeRig, short_dir: Path, what: str
) -> None:
    rig = noting_fleet(make_rig, short_dir)
    rig.directory.mkdir(mode=0o700, parents=True)
    for name in ("events-000001.db", "head"):
        (rig.directory / name).touch(mode=0o600)
        (rig.directory / name).write_text("no ledger\n")
    rig.start()
    assert rig.process is not None
    pid = rig.process.pid
    vanish(rig, what)

    def is_whole() -> bool:
        holder = proven_holder(rig.directory)
        return holder is not None and holder.pid == pid and rig.answers()

    await rig.until(is_whole, 60, "it has its lock and answers at its socket")
    second = rig.spawn()
    assert await asyncio.to_thread(second.wait, 30) == ExitCode.REFUSED
    assert f"another engine owns the ledger in {rig.directory}: pid {pid}" in rig.output.read_text()
    assert is_whole()
    done = rig.cli("stop", str(rig.file))
    assert done.returncode == ExitCode.OK, done.stderr
    assert await asyncio.to_thread(rig.process.wait, 20) == 0
    rig.process = None


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
async def test_a_state_directory_that_goes_ends_its_engine_with_the_reason(
    make_rig: MakeRig, short_dir: Path, how: str
) -> None:
    rig = noting_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    tasks = await load(rig, 0, LOAD)
    elsewhere = short_dir / "elsewhere"
    rig.directory.rename(elsewhere)
    if how == "removed":
        shutil.rmtree(elsewhere)
    if how == "replaced":
        rig.directory.mkdir(mode=0o700)
    assert await asyncio.to_thread(rig.process.wait, 30) == ExitCode.FAILED
    rig.process = None
    said = rig.output.read_text()
    assert "state directory" in said
    assert "removed or moved" in said
    assert "Traceback" not in said
    if how == "removed":
        return
    if how == "replaced":
        assert not list(rig.directory.glob("events-*"))
        shutil.rmtree(rig.directory)
    elsewhere.rename(rig.directory)
    rig.close()
    rig.start()
    await all_done_once(rig, tasks, short_dir)


async def test_no_second_engine_comes_in_while_a_lock_file_is_gone(
    make_rig: MakeRig, short_dir: Path
) -> None:
    """Whichever has the lock at its name goes on, and the other says that it is that one."""
    rig = noting_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    tasks = await load(rig, 0, LOAD)
    (rig.directory / "engine.lock").unlink()
    second = rig.spawn()
    await rig.until(
        lambda: (
            (rig.process is not None and None not in (rig.process.poll(), second.poll()))
            or any(p is not None and p.poll() is not None for p in (rig.process, second))
        ),
        30,
        "one of them ends",
    )
    first_ended = rig.process.poll() is not None
    rig.process, ended = (second, rig.process) if first_ended else (rig.process, second)
    assert ended.returncode != 0
    assert "another engine" in rig.output.read_text()
    await rig.until(rig.answers, 60, "the one that stays answers")
    tasks += await load(rig, LOAD, 2)
    await all_done_once(rig, tasks, short_dir)


async def test_an_engine_that_does_not_answer_is_told_as_it_is_and_can_be_stopped(
    make_rig: MakeRig, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket cannot be made again: something that is no file is in its place."""
    rig = noting_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    pid = rig.process.pid
    await load(rig, 0, 2)
    socket_path(rig.directory).unlink()
    (socket_path(rig.directory) / "in the way").mkdir(parents=True, mode=0o700)
    socket_path(rig.directory).chmod(0o700)
    submit = rig.cli("submit", "-f", str(rig.file), "x")
    assert submit.returncode == ExitCode.UNREACHABLE
    assert f"pid {pid}".encode() in submit.stderr
    assert b"no engine runs" not in submit.stderr
    assert f"{socket_path(rig.directory)} is a directory".encode() in submit.stderr
    status = rig.cli("status", str(rig.file))
    assert f"does not answer at its socket: pid {pid}".encode() in status.stdout
    told = json.loads(rig.cli("status", str(rig.file), "--json").stdout)
    assert told["engine"]["answers"] is False
    assert told["healthy"] is False
    doctor = rig.cli("doctor", str(rig.file)).stdout.decode()
    assert f"pid {pid}" in doctor
    assert "fleet-tui stop" in doctor
    stopped = rig.cli("stop", str(rig.file))
    assert stopped.returncode == ExitCode.OK, stopped.stderr
    assert str(pid).encode() in stopped.stdout
    assert await asyncio.to_thread(rig.process.wait, 20) == 0
    rig.process = None
    again = rig.cli("stop", str(rig.file))
    assert again.returncode == ExitCode.UNREACHABLE
    assert b"no engine runs" in again.stderr


def test_only_a_proven_engine_is_signalled(
    make_rig: MakeRig, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock file that names some other process proves nothing, held or not."""
    rig = noting_fleet(make_rig, short_dir)
    rig.start()
    assert rig.process is not None
    lock = rig.directory / "engine.lock"
    real = lock.read_text()
    assert proven_holder(rig.directory) is not None
    named = json.loads(real) | {"pid": os.getpid()}
    lock.write_text(json.dumps(named))
    assert proven_holder(rig.directory) is None
    lock.write_text(json.dumps(json.loads(real) | {"host": "elsewhere"}))
    assert proven_holder(rig.directory) is None
    lock.write_text("nonsense")
    assert proven_holder(rig.directory) is None
    lock.write_text(real)
    assert proven_holder(rig.directory) is not None
    rig.process.send_signal(signal.SIGTERM)
    assert rig.process.wait(20) == 0
    rig.process = None
    assert proven_holder(rig.directory) is None
    assert engine_commands.END_WITHIN_S > 0
