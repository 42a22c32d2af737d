"""A terminal that stops reading: what its console costs the engine and itself.

``BENCH_UNREAD_S=60`` measures for as long as the promise says; by itself it is a shorter look.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from fleet_tui.base.paths import socket_path
from fleet_tui.core.engine.commands import Freeze
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.run import RunningEngine
from fleet_tui.feed.client import EngineClient
from tests.bench.frame import Row, Unavailable, at_most, percentile
from tests.journal.stories import FLEET
from tests.support.pty_harness import PtyProgram, python

UNREAD_S = float(os.environ.get("BENCH_UNREAD_S", "15"))
PER_SECOND = 100
"""Submits meanwhile: the engine has something to do, and the console something to show."""
LOOK_S = 0.005
CONSOLE = """
import sys
from pathlib import Path
from fleet_tui.console.shell.run import run
from fleet_tui.feed.attached import AttachedFeed
sys.exit(run(AttachedFeed(Path(sys.argv[1]), by="bench")))
"""
MIB = 1 << 20


class Console(NamedTuple):
    """What the console did while nobody read, and when somebody did again."""

    grown_bytes: int
    sent_bytes: int


def unread() -> Iterator[Row]:
    """The lag of the engine's loop with such a console, beside the same engine with none."""
    if not sys.platform.startswith("linux"):
        raise Unavailable("whether a program waits for its terminal is only known on Linux")
    alone = asyncio.run(_alone())
    beside, console = asyncio.run(_beside())
    for share, target in ((50.0, None), (99.0, at_most(50))):
        yield Row(
            name=f"engine loop lag beside a terminal unread for {UNREAD_S:.0f} s, p{share:.0f}",
            figure=percentile(beside, share),
            unit="ms",
            peer_name="the same with no console",
            peer=percentile(alone, share),
            target=target,
        )
    yield Row(
        name="console grown by meanwhile",
        figure=console.grown_bytes / MIB,
        unit="MiB",
        peer_name="the limit",
        peer=20,
        target=at_most(20),
    )
    yield Row(
        name="sent to the terminal in the first 3 s of reading again",
        figure=console.sent_bytes / 1_024,
        unit="KiB",
        peer_name="one full screen of 120x40 with colours",
        peer=32,
    )


async def _alone() -> list[float]:
    with tempfile.TemporaryDirectory(prefix="ft-") as place:
        async with _working(Path(place) / "state"):
            return await _lags(UNREAD_S)


async def _beside() -> tuple[list[float], Console]:
    with tempfile.TemporaryDirectory(prefix="ft-") as place:
        directory = Path(place) / "state"
        async with _working(directory):
            with PtyProgram(python("-c", CONSOLE, str(directory))) as program:
                await asyncio.to_thread(program.wait_for, "Queue depth")
                await asyncio.to_thread(program.fill_terminal, "12")
                before = program.rss_bytes()
                lags = await _lags(UNREAD_S)
                grown = program.rss_bytes() - before
                sent = await asyncio.to_thread(program.watch, 3.0)
                return lags, Console(grown, sent)


@asynccontextmanager
async def _working(directory: Path) -> AsyncIterator[None]:
    """An engine of a frozen fleet that is given one task after the other."""
    async with RunningEngine(FLEET, directory) as running:
        loop = asyncio.create_task(running.run())
        client = await EngineClient.connect(socket_path(directory), "bench")
        await client.send(Freeze())
        load = asyncio.create_task(_submit(client))
        yield
        load.cancel()
        with suppress(asyncio.CancelledError):
            await load
        await client.close()
        running.stop("measured")
        await loop


async def _submit(client: EngineClient) -> None:
    number, began_s = 0, time.perf_counter()
    while True:
        task = TaskId(f"TASK{number:022d}")
        spec = TaskSpec(payload=Untrusted(f"count the lines of file {number}"))
        reply = await client.send(Submit(task=task, key=task, spec=spec))
        assert isinstance(reply, Accepted), reply
        number += 1
        await asyncio.sleep(max(0.0, began_s + number / PER_SECOND - time.perf_counter()))


async def _lags(seconds: float) -> list[float]:
    """How much later than asked for a task of this loop goes on, in ms."""
    lags, until_s = list[float](), time.perf_counter() + seconds
    while (asked_s := time.perf_counter()) < until_s:
        await asyncio.sleep(LOOK_S)
        lags.append(1_000 * (time.perf_counter() - asked_s - LOOK_S))
    return lags
