"""An engine that was asleep while another took over commits nothing, starts nothing and leaves."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from fleet_tui.base.paths import socket_path
from fleet_tui.core.engine.events import EngineStarted
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.tasks.model import TaskPhase
from tests.acceptance.rig import MakeRig, Rig
from tests.acceptance.test_modes import works

COUNTED = """
defaults: {kind: local, run_dir: %s/runs, probe: {every: 200ms, timeout: 5s}}
agents:
  echo: {slots: 2, command: [sh, -c, 'cat; echo x >> %s/executions']}
"""


def frozen(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@pytest.mark.parametrize("busy", [False, True])
async def test_a_zombie_commits_and_starts_nothing_and_leaves(
    make_rig: MakeRig, short_dir: Path, busy: bool
) -> None:
    rig = make_rig(COUNTED % (short_dir, short_dir))
    rig.start()
    await works(rig, "before")
    zombie = rig.process
    assert zombie is not None
    zombie.send_signal(signal.SIGSTOP)
    await rig.until(lambda: frozen(zombie.pid), 60, "it sleeps")
    (rig.directory / "engine.lock").unlink()
    socket_path(rig.directory).unlink()
    rig.process = None
    rig.start()
    try:
        epoch = rig.state().engine.epoch
        assert epoch == 2
        if busy:
            rig.submit("while it wakes up")
        zombie.send_signal(signal.SIGCONT)
        await rig.until(lambda: zombie.poll() is not None, 60, "the zombie leaves")
        assert zombie.returncode == 1
        assert "another engine took over" in rig.output.read_text()
        # Before it knew, it may have made its own socket anew, in the place of the living one.
        await rig.until(rig.answers, 60, "the living engine has its door again")
        await works(rig, "after")
        await rig.until(lambda: not rig.state().open_tasks, 60, "all ends")
        later = [r for r in rig.events() if r.seq >= epoch_began(rig)]
        assert {r.epoch for r in later} == {2}
        placed = sum(isinstance(r.event, TaskPlaced) for r in rig.events())
        tasks = rig.tasks()
        assert {t.phase for t in tasks} == {TaskPhase.SUCCEEDED}
        executed = len((short_dir / "executions").read_text().splitlines())
        assert placed == executed == len(tasks)
    finally:
        if zombie.poll() is None:
            zombie.kill()
            zombie.wait()


def epoch_began(rig: Rig) -> int:
    """Where the second engine's part of the ledger begins."""
    return [r.seq for r in rig.events() if isinstance(r.event, EngineStarted)][-1]


async def test_an_engine_whose_lock_file_was_removed_takes_it_again(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(COUNTED % (short_dir, short_dir))
    rig.start()
    await works(rig, "before")
    lock = rig.directory / "engine.lock"
    lock.unlink()
    await rig.until(lock.exists, 60, "it is locked again")
    second = rig.cli("engine", str(rig.file))
    assert second.returncode == 6
    assert rig.process is not None
    assert f"pid {rig.process.pid}" in second.stderr.decode()
    await works(rig, "after")
    assert os.stat(lock).st_size > 0
