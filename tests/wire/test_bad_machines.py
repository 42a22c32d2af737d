"""Hosts whose disk is full and whose clock is wrong."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, Epoch, HostName, RunId
from fleet_tui.core.tasks.evidence import Definite, Finished, NotStarted, Unknown
from fleet_tui.wire.programs import wrapper
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.ssh.pool import SshPool
from tests.support.needs import not_allowed
from tests.support.programs import executions, finished, order, settled, until, wall_ms
from tests.support.sshd import make_sshd
from tests.support.wrapped import MakePort, kill_all_of, make_port

__all__ = ["make_port"]

DAY_S = 86_400


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The run directory on a file system of its own, of 256 KiB."""
    if os.getuid() != 0:
        not_allowed("only root may mount a small disk")
    disk = tmp_path / "runs"
    disk.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        not_allowed("no file systems may be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(filler: Path, room_kb: int) -> None:
    """Leave that much room on the disk of a file."""
    disk = os.statvfs(filler.parent)
    filler.write_bytes(b"\0" * max(0, disk.f_bavail * disk.f_frsize // 1_024 - room_kb) * 1_024)


async def test_a_disk_with_room_for_half_a_task_starts_none(
    make_port: MakePort, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = tmp_path / "book"
    script = f"wc -c >> {book}"
    port = make_port("sh", "-c", script)
    await port.probe()
    # As it is: too little room for anything, and it says so.
    found = await port.start(order("x" * 5_000))
    assert isinstance(found, Definite)
    assert isinstance(found.value, NotStarted)
    assert found.value.reason == "disk-full"
    # Without that look beforehand the writes themselves fail, at every step of a start.
    monkeypatch.setattr(wrapper, "LEAST_FREE_KB", 0)
    size = 20_000
    whole = 0
    for attempt, room_kb in enumerate((64, 40, 28, 20, 12, 8, 4, 0), start=2):
        for old in small_disk.glob("01*"):
            subprocess.run(["rm", "-rf", str(old)], check=True)
        filler = small_disk / "filler"
        filler.unlink(missing_ok=True)
        fill(filler, room_kb)
        what = order("x" * size, attempt)
        await port.start(what)
        filler.unlink()
        stands = await settled(port, what)
        assert isinstance(stands, Definite), room_kb
        if isinstance(stands.value, NotStarted):
            assert (await port.start(what)) == stands, room_kb
            continue
        whole += isinstance((await finished(port, what)), Finished)
    assert executions(book) == whole
    assert 0 < whole < 8
    assert set(book.read_text().split()) == {str(size)}


@pytest.mark.parametrize("room_kb", [0, 4, 8, 12, 60])
async def test_a_disk_that_is_full_to_the_last_bytes_is_called_full(
    make_port: MakePort, small_disk: Path, monkeypatch: pytest.MonkeyPatch, room_kb: int
) -> None:
    monkeypatch.setattr(wrapper, "LEAST_FREE_KB", 64)
    filler = small_disk / "filler"
    fill(filler, room_kb)
    port = make_port("cat")
    for _ in range(2):
        look = await port.probe()
        assert isinstance(look, ProbeFailure)
        assert (look.kind, look.detail.raw) == (
            FailureKind.DISK_FULL,
            "0 MiB free, new runs need 0",
        )
    started = await port.start(order())
    assert isinstance(started, Definite)
    assert isinstance(started.value, NotStarted)
    assert started.value.reason == "disk-full"
    late = await make_port("cat", epoch=2).start(order(attempt=2))
    assert isinstance(late, Definite)
    assert isinstance(late.value, NotStarted)
    assert late.value.reason == "disk-full", "by an engine that never looked"
    left = {path.name for path in small_disk.iterdir() if not path.name.startswith("began.")}
    assert left <= {"filler", "epoch", ".claims", order().run_id, order(attempt=2).run_id}
    filler.unlink()
    assert isinstance(await make_port("cat", epoch=3).probe(), VitalsReading)


@pytest.mark.parametrize("room_bytes", [0, 1, 4_096])
async def test_a_tombstone_that_does_not_fit_on_the_disk_is_none(
    make_port: MakePort,
    small_disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    room_bytes: int,
) -> None:
    """The run was there and was wiped, so the word would have to be "lost" and never "fenced"."""
    monkeypatch.setattr(wrapper, "LEAST_FREE_KB", 0)
    ready = tmp_path / "ready"
    port, what = make_port("sh", "-c", f"touch {ready}; sleep 300"), order()
    await port.start(what)
    await until(ready.exists)
    pid = int((small_disk / what.run_id / "owner").read_text().split()[1])
    os.kill(pid, signal.SIGKILL)  # it would be known by its arguments
    shutil.rmtree(small_disk / what.run_id)
    shutil.rmtree(small_disk / ".claims")
    with (small_disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"\0" * 1_024)
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - room_bytes)
    for _ in range(2):
        assert isinstance(await port.inspect(what), Unknown)
    (small_disk / "filler").unlink()
    assert isinstance(await port.inspect(what), Unknown)
    kill_all_of(pid)


def libfaketime() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        not_allowed("no libfaketime here")
    return found[0]


@pytest.mark.sshd
@pytest.mark.parametrize("days", [-1, 1])
async def test_a_host_whose_clock_is_a_day_wrong_works_like_any_other(
    tmp_path: Path, days: int
) -> None:
    env = f"LD_PRELOAD={libfaketime()} FAKETIME={days:+d}d"
    server = make_sshd(tmp_path / "sshd", env=env)
    pool = SshPool(
        {(box := HostName("box")): server.spec()}, rng=random.Random(1), clock=time.monotonic
    )
    agent = CommandAgent(command=("cat",), run_dir=str(tmp_path / "runs"))
    port = CommandPort(
        AgentName("worker"),
        agent,
        box,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
    )
    try:
        look = await port.probe()
        assert isinstance(look, VitalsReading), look
        assert look.ready
        assert abs(look.observed_at_ms - wall_ms()) < DAY_S * 1_000 // 2
        assert look.clock_skew_ms is not None
        assert abs(look.clock_skew_ms - days * DAY_S * 1_000) < DAY_S * 1_000 // 24
        await port.start(order("hello"))
        found = await finished(port, order("hello"))
        assert found.ok
        assert found.duration_ms is not None
        assert 0 <= found.duration_ms < DAY_S * 1_000 // 24
        assert await port.collect([RunId(order().run_id)]) == (order().run_id,)
    finally:
        await pool.close()
        server.stop()
