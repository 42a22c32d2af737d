"""A world as a recording: its ledger, and everything that was done to it as log lines beside it."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from fleet_tui import __version__
from fleet_tui.base.redact import redact
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.recordings.recording import SUFFIX, export
from fleet_tui.journal.telemetry.logs import LogWriter
from fleet_tui.journal.telemetry.samples import SampleWriter
from fleet_tui.sim.virtual.life import WorldOutcome
from fleet_tui.sim.virtual.scenario import START_MS


def write_recording(outcome: WorldOutcome, folder: Path, name: str) -> Path:
    """Write ``NAME.fleetrec`` into an existing folder and return where it is. Blocks."""
    path = folder / f"{name}{SUFFIX}"
    with tempfile.TemporaryDirectory(prefix="fleet-tui-sim-") as directory:
        asyncio.run(_write_ledger(Path(directory), outcome))
        export(Path(directory), path, redact=redact)
    return path


async def _write_ledger(directory: Path, outcome: WorldOutcome) -> None:
    writer = await JournalWriter.open(directory, lambda: START_MS, __version__, pid=0)
    try:
        for batch in _batches(outcome.rows):
            await writer.append([row.event for row in batch], batch[0].at_ms)
    finally:
        await writer.close("")
    lines = await LogWriter.open(directory)
    try:
        lines.write(_lines(outcome))
    finally:
        await lines.close()
    samples = await SampleWriter.open(directory)
    await samples.close()


def _batches(rows: Sequence[Recorded]) -> Iterator[list[Recorded]]:
    for _, batch in groupby(rows, key=lambda row: row.at_ms):
        yield list(batch)


def _lines(outcome: WorldOutcome) -> list[LogLine]:
    """What happened, in order, and the broken promises at the moments in which they were broken:
    at the end of the ledger at the latest, for a review ends there."""
    last_ms = max((row.at_ms - START_MS for row in outcome.rows), default=0)
    said = [note for note in outcome.notes if note[0] <= last_ms]
    for violation in outcome.violations:
        text = f"VIOLATION {violation.invariant}: {violation.text}"
        said.append((min(violation.at_ms, last_ms), text))
    return [_line(at_ms, text) for at_ms, text in sorted(said, key=lambda note: note[0])]


def _line(at_ms: int, text: str) -> LogLine:
    words = text.split(" ", 1)[0]
    level = {"VIOLATION": Level.ERROR, "fault:": Level.WARN}.get(words, Level.INFO)
    return LogLine(received_at_ms=START_MS + at_ms, source=None, level=level, text=Untrusted(text))
