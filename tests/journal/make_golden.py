"""Writes the golden journal of format 1. Run once per format, by hand; never for an old one.

``python -m tests.journal.make_golden DIRECTORY``
"""

import asyncio
import sys
from pathlib import Path

from fleet_tui.core.agents.events import AgentCordoned
from fleet_tui.core.agents.vitals import FleetSample, VitalsReading
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.events import UnknownEvent
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.recordings.recording import export
from fleet_tui.journal.telemetry.logs import LogWriter
from fleet_tui.journal.telemetry.samples import SampleWriter
from tests.journal.stories import AGENT, note, opening, task_story

START_MS = 1_795_000_000_000


async def main(directory: Path) -> None:
    state = directory / "format-1"
    writer = await JournalWriter.open(state, lambda: START_MS, "0.1.0", 4711)
    alert = AlertRaised(
        alert=AlertId("agent-down:agent-01"), severity=Severity.WARN, subject=AGENT, text="is down"
    )
    await writer.append(opening(), START_MS + 1_000)
    for number in range(1, 4):
        await writer.append(task_story(number), START_MS + number * 2_000)
    later = UnknownEvent(kind="agent.sang", body=b'{"kind":"agent.sang","song":"la"}')
    await writer.append([AgentCordoned(agent=AGENT, by="ana"), alert, later], START_MS + 7_000)
    await writer.append([note("the golden note \x1b[31m")], START_MS + 8_000)
    samples, logs = await SampleWriter.open(state), await LogWriter.open(state)
    samples.add(
        [
            VitalsReading(agent=AGENT, observed_at_ms=START_MS + 1_000, latency_ms=1.25),
            FleetSample(at_ms=START_MS + 1_000, up=1, agents=1),
        ]
    )
    line = LogLine(
        received_at_ms=START_MS + 1_500, source=AGENT, level=Level.WARN, text=Untrusted("disk low")
    )
    logs.write([line, LogGap(received_at_ms=START_MS + 1_600, source=AGENT, reason="rotated")])
    await samples.close()
    await logs.close()
    await writer.close("maintenance")
    export(state, directory / "format-1.fleetrec", redact=lambda text: text)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
