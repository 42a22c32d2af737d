"""A real sshd at the end of a line that is cut, held and garbled at chosen bytes."""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import VitalsReading
from fleet_tui.core.fleet import CommandAgent, HostSpec
from fleet_tui.core.ids import AgentName, Epoch, HostName
from fleet_tui.core.tasks.evidence import (
    Definite,
    LostReason,
    NotStarted,
    RunOrder,
    Started,
    Unknown,
)
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import SCRIPT, RunDirectory
from fleet_tui.wire.ssh.pool import SshConnection, SshPool
from tests.support.line import line_to
from tests.support.programs import finished, order, settled, wall_ms
from tests.support.sshd import Sshd, make_sshd

pytestmark = pytest.mark.sshd

BOX = HostName("box")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


@asynccontextmanager
async def worker(spec: HostSpec, directory: Path) -> AsyncIterator[tuple[CommandPort, SshPool]]:
    """An agent that writes the hash of each task it gets into a book, and has been looked at."""
    pool = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    script = f"sha256sum >> {directory}/book"
    agent = CommandAgent(command=("sh", "-c", script), run_dir=str(directory / "runs"))
    port = CommandPort(
        AgentName("worker"),
        agent,
        BOX,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
    )
    try:
        assert isinstance(await port.probe(), VitalsReading)  # connected, and known there
        yield port, pool
    finally:
        await port.close()
        await pool.close()


async def fenced(port: CommandPort, what: RunOrder) -> bool:
    """Whether the host says for certain that the run did not and will not start."""
    stands = await settled(port, what)
    assert isinstance(stands, Definite)
    return isinstance(stands.value, NotStarted) and stands.value.reason == "fenced"


def begun(directory: Path) -> list[str]:
    """The hashes of the tasks that programs got."""
    book = directory / "book"
    return [line.split()[0] for line in book.read_text().splitlines()] if book.exists() else []


SIZE = 4_000
STEP = 2_900
"""Bytes of a task and between two cuts; the script and the task together are some 25 kB."""
OPENING = 2_000
"""By then sshd runs the shell that reads script and task."""


async def test_an_upload_that_is_cut_anywhere_starts_whole_or_not_at_all(
    server: Sshd, tmp_path: Path
) -> None:
    async with line_to(server.port) as line:
        spec = line.spec(server)
        whole: list[str] = []
        cuts = range(1, len(SCRIPT) + 2 * SIZE, STEP)
        for attempt, cut in enumerate(cuts, start=1):
            what = order(f"{attempt} " * (SIZE // 3), attempt)
            line.bytes_left = None
            async with worker(spec, tmp_path) as (port, _):
                line.bytes_left = cut
                found = await port.start(what)
            line.bytes_left = None
            async with worker(spec, tmp_path) as (port, _):
                stands = await settled(port, what)
                assert isinstance(stands, Definite)
                if isinstance(stands.value, NotStarted):
                    assert not (isinstance(found, Definite) and isinstance(found.value, Started))
                else:
                    await finished(port, what)
                    whole.append(hashlib.sha256(what.payload.raw.encode()).hexdigest())
    assert begun(tmp_path) == whole
    assert 0 < len(whole) < len(cuts), "some were cut before the end of the upload, some after"


async def test_a_start_that_arrives_after_the_tombstone_runs_nothing(
    server: Sshd, tmp_path: Path
) -> None:
    what = order("x" * SIZE)
    async with line_to(server.port) as line:
        spec = line.spec(server)
        async with worker(spec, tmp_path) as (port, _):
            line.holding, line.bytes_left = True, OPENING
            starting = asyncio.create_task(port.start(what))
            late = line.calls[-1]
            while len(late.held) < len(SCRIPT) - OPENING + SIZE:
                line.news.clear()
                await line.news.wait()
            late.hang_up_near()
            found = await starting
            assert isinstance(found, Unknown)
            assert found.reason is LostReason.CONNECTION_LOST
        line.holding, line.bytes_left = False, None
        async with worker(spec, tmp_path) as (port, _):
            assert await fenced(port, what)
            await late.deliver()
            assert await fenced(port, what)
    assert begun(tmp_path) == []
    # What was held was a start that would have run: its claim stands beside the tombstone.
    assert (tmp_path / "runs" / what.run_id / "owner").read_text().strip() == "fenced"


async def test_garbage_on_the_line_is_unknown_and_the_next_connection_is_as_good_as_any(
    server: Sshd, tmp_path: Path
) -> None:
    async with line_to(server.port) as line, worker(line.spec(server), tmp_path) as (port, pool):
        await port.start(order("one"))
        await finished(port, order("one"))
        line.garbling = True
        found = await port.start(order("two", 2))
        line.garbling = False
        assert isinstance(found, Unknown)
        assert found.reason is LostReason.CONNECTION_LOST
        stands = await settled(port, order("two", 2))
        assert isinstance(stands, Definite)
        if not isinstance(stands.value, NotStarted):
            assert (await finished(port, order("two", 2))).ok
        assert isinstance(await pool.connect(BOX), SshConnection)
    assert len(begun(tmp_path)) <= 2
