"""Programs are started whole or not at all, at whatever step of asyncio's somebody interrupts.

A pipe that asyncio had not connected yet when the loop ended is closed by the collector of garbage.
"""

import asyncio
import gc
import os
import signal
from asyncio.subprocess import PIPE
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket

import psutil
import pytest

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.wire import processes
from fleet_tui.wire.ssh import resolver
from fleet_tui.wire.ssh.proxy_command import start_proxy
from tests.support.programs import until

STEPS = range(8)
"""More turns of the loop than a start takes."""
SLEEPS = ("/bin/sh", "-c", "sleep 3600 & sleep 3600")
HEIR = r'setsid sh -c "echo \$\$; exec sleep 3600" &'
"""Leaves something behind in a session of its own, which says so and holds what it was given."""


pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a loop that ended early left open is closed within the test that left it."""
    yield
    gc.collect()


def left() -> list[str]:
    """What this process started and still runs."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE and child.name() in ("sh", "sleep"):
                found.append(child.name())
    return found


def open_files() -> int:
    return psutil.Process().num_fds()


def unblocked(sock: socket) -> socket:
    sock.setblocking(False)
    return sock


async def none_left() -> None:
    """Whoever was killed may take a moment to be gone."""
    await asyncio.wait_for(until(lambda: left() == []), 10)


@contextmanager
def heirs() -> Iterator[Callable[[int], None]]:
    """Told of processes that left their session; ends them after the block."""
    told: list[int] = []
    try:
        yield told.append
    finally:
        for pid in told:
            os.kill(pid, signal.SIGKILL)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("after", STEPS)
async def test_a_start_that_is_cancelled_leaves_nothing(after: int) -> None:
    starting = asyncio.create_task(processes.start(*SLEEPS))
    await turns(after)
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await processes.end(await starting)
    await none_left()


@pytest.mark.parametrize("between", range(1, 4))
@pytest.mark.parametrize("after", STEPS)
async def test_a_start_that_is_cancelled_twice_leaves_nothing(after: int, between: int) -> None:
    starting = asyncio.create_task(processes.start(*SLEEPS))
    await turns(after)
    starting.cancel()
    await turns(between)
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await processes.end(await starting)
    await none_left()


@pytest.mark.parametrize("after", STEPS)
def test_a_loop_that_ends_waits_for_no_start(after: int) -> None:
    async def use() -> None:
        process = await processes.start("/bin/sleep", "3600")
        try:
            await process.wait()
        finally:
            await processes.end(process)

    async def main() -> None:
        used = asyncio.create_task(use())
        await turns(after)
        assert not used.done()

    asyncio.run(main())
    asyncio.run(none_left())


@pytest.mark.parametrize("between", range(3))
@pytest.mark.parametrize("after", STEPS)
def test_a_loop_that_ends_after_a_cancel_waits_for_no_start(after: int, between: int) -> None:
    async def main() -> None:
        starting = asyncio.create_task(processes.start("/bin/sleep", "3600"))
        await turns(after)
        if starting.done():
            await processes.end(starting.result())
        starting.cancel()
        await turns(between)

    asyncio.run(main())
    asyncio.run(none_left())


async def test_a_program_has_a_session_of_its_own() -> None:
    process = await processes.start("/bin/sleep", "3600")
    try:
        assert os.getsid(process.pid) == process.pid
    finally:
        await processes.end(process)


async def test_what_a_program_left_behind_is_ended_too() -> None:
    process = await processes.start("/bin/sh", "-c", "sleep 3600 & exit 0")
    await until(lambda: process.returncode is not None)
    await asyncio.wait_for(processes.end(process), 10)
    await none_left()
    assert process.returncode == 0


async def test_output_that_a_program_in_another_session_holds_is_let_go_of() -> None:
    before = open_files()
    with heirs() as heir:
        process = await processes.start("/bin/sh", "-c", HEIR, stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x" * 1_000_000)  # it reads nothing of it
        heir(int(await process.stdout.readline()))
        await asyncio.wait_for(processes.end(process), 10)
        await turns(3)
        assert open_files() == before


async def test_output_that_a_program_keeps_writing_is_not_waited_for() -> None:
    writes = r'setsid sh -c "echo \$\$ >&2; exec yes" &'
    with heirs() as heir:
        process = await processes.start("/bin/sh", "-c", writes, stderr=PIPE)
        assert process.stderr is not None
        heir(int(await process.stderr.readline()))
        await asyncio.wait_for(processes.end(process), 10)


async def test_a_proxy_program_ends_as_every_program() -> None:
    before = open_files()
    with heirs() as heir:
        proxy = await start_proxy(f"sh -c '{HEIR}'")
        heir(int(await asyncio.get_running_loop().sock_recv(unblocked(proxy.socket), 100)))
        await asyncio.wait_for(proxy.end(), 10)
        await turns(3)
        assert open_files() == before


async def test_an_ssh_that_is_asked_ends_as_every_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "TIMEOUT_S", 0.5)
    (config := tmp_path / "config").write_text("Host *\n")
    noted = tmp_path / "pid"
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\n{{ {HEIR} }} >>{noted} 2>&2\n")
    program.chmod(0o700)
    asked = resolver.SshResolver(config=config, program=str(program))
    before = open_files()
    with heirs() as heir:
        await asked.resolve(HostSpec(name=HostName("a"), address="a"))
        for pid in map(int, noted.read_text().split()):
            heir(pid)
        await turns(3)
        assert open_files() == before


async def test_what_cannot_be_started_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        await processes.start("/no/such/program")
