"""A fleet with more ended tasks than its state remembers."""

from pathlib import Path

from fleet_tui.base.paths import fleet_dir
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.telemetry.logs import LogWriter
from tests.journal.stories import opening, tasks

NOW_MS = 1_795_000_000_000
FIRST = TaskId(f"01J{1:023d}")
"""The task that is forgotten first."""


async def write_old_fleet(count: int) -> Path:
    """The state directory of the fleet ``demo``: so many ended tasks, and a line of the first."""
    directory = fleet_dir("demo")
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "v", 1)
    await writer.append(opening(), NOW_MS)
    await writer.append(list(tasks(count)), NOW_MS)
    assert writer.state.task(FIRST) is None
    await writer.close("x")
    logs = await LogWriter.open(directory)
    said = LogLine(
        received_at_ms=NOW_MS,
        source=AgentName("agent-01"),
        level=Level.INFO,
        text=Untrusted("thinking"),
        task=FIRST,
    )
    assert logs.write([said]) == 0
    await logs.close()
    return directory
