"""What an operator waits for before a command says anything."""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fleet_tui.config.load import load_fleet
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.bench.frame import Row, at_most
from tests.support.surroundings import CHECKOUT

ROUNDS = 7
SMALL = CHECKOUT / "sample_fleets" / "small.yaml"
NOW_MS = 1_795_000_000_000


def startup() -> Iterator[Row]:
    """Wall and CPU time of whole commands, each beside an interpreter that does nothing."""
    with tempfile.TemporaryDirectory() as states:
        asyncio.run(ledger_of_small(Path(states) / "small"))
        environment = os.environ | {"FLEET_TUI_STATE_DIR": states}
        commands = {
            "--version": ["--version"],
            "check": ["check", str(SMALL)],
            "status": ["status", "--fleet", str(SMALL)],
        }
        for name, arguments in commands.items():
            ours, bare = [], []
            for _ in range(ROUNDS):
                bare.append(run_once(["-c", "pass"], environment))
                ours.append(run_once(["-m", "fleet_tui", *arguments], environment))
            for kind, place, target in (("wall", 0, at_most(250)), ("CPU", 1, None)):
                yield Row(
                    name=f"fleet-tui {name}, {kind}",
                    figure=statistics.median(sample[place] for sample in ours),
                    unit="ms",
                    peer_name="python -c pass",
                    peer=statistics.median(sample[place] for sample in bare),
                    target=target,
                )


def run_once(arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU milliseconds of one interpreter."""
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True
    )
    wall_ms = 1_000 * (time.perf_counter() - began_s)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_ms, 1_000 * cpu_s


async def ledger_of_small(directory: Path) -> None:
    """Something for ``status`` to look at."""
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "0", 1)
    await writer.append([FleetLoaded(spec=load_fleet(SMALL, {}).spec)], NOW_MS)
    await writer.close("written")
