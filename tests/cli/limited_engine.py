"""An engine whose queue is soon full: ``python -m tests.cli.limited_engine FLEET``."""

import asyncio
import os
import sys
from pathlib import Path

from msgspec.structs import replace

from fleet_tui.config.load import load_fleet
from fleet_tui.core.fleet import Priority, QueueLimits
from fleet_tui.core.ids import ClientName
from fleet_tui.engine.run import RunningEngine
from fleet_tui.paths import fleet_dir

LIMITS = QueueLimits(open=40, lanes={Priority.P1: 10}, clients={ClientName("acme"): 5})


async def main(file: Path) -> None:
    """Work until killed."""
    spec = replace(load_fleet(file, os.environ).spec, limits=LIMITS)
    async with RunningEngine(spec, fleet_dir(spec.name)) as engine:
        await engine.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
