"""How long a submit takes to be acknowledged, over the engine's real door, onto a real disk."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fleet_tui.base.paths import socket_path
from fleet_tui.core.engine.commands import Freeze
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.run import RunningEngine
from fleet_tui.feed.client import EngineClient
from tests.bench.frame import Row, at_most, percentile
from tests.journal.stories import FLEET

PER_SECOND = 200
SUBMITS = 1_000
BARE = 300


def submits() -> Iterator[Row]:
    """Acknowledgements at 200 submits a second, beside a bare write and fsync of the same disk."""
    with tempfile.TemporaryDirectory(prefix="ft-") as place:
        bare = _bare(Path(place))
        waits = asyncio.run(_measure(Path(place) / "state"))
    for name, share, limit in (("p50", 50.0, 5.0), ("p99", 99.0, 50.0)):
        yield Row(
            name=f"submit to acknowledged at {PER_SECOND}/s, {name}",
            figure=percentile(waits, share),
            unit="ms",
            peer_name="write and fsync",
            peer=percentile(bare, share),
            target=at_most(limit),
        )


def _bare(directory: Path) -> list[float]:
    waits = []
    with (directory / "bare").open("wb", buffering=0) as file:
        for _ in range(BARE):
            began = time.perf_counter()
            file.write(bytes(500))
            os.fsync(file.fileno())
            waits.append((time.perf_counter() - began) * 1_000)
    return waits


async def _measure(directory: Path) -> list[float]:
    """A frozen fleet: what is measured is the way to the ledger and back, not agents."""
    waits: list[float] = []
    async with RunningEngine(FLEET, directory) as running:
        loop = asyncio.create_task(running.run())
        client = await EngineClient.connect(socket_path(directory), "bench")
        await client.send(Freeze())

        async def submit(number: int) -> None:
            task = TaskId(f"TASK{number:022d}")
            spec = TaskSpec(payload=Untrusted(f"count the lines of file {number}"))
            began = time.perf_counter()
            reply = await client.send(Submit(task=task, key=task, spec=spec))
            waits.append((time.perf_counter() - began) * 1_000)
            assert isinstance(reply, Accepted), reply

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(SUBMITS):
                while (left_s := began + number / PER_SECOND - time.perf_counter()) > 0:
                    await asyncio.sleep(left_s)
                group.create_task(submit(number))
        await client.close()
        running.stop("measured")
        await loop
    return waits
