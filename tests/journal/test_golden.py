"""Journals and recordings of every released format open and fold for ever. Never edit the data."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.ids import NOWHERE, AlertId, TaskId
from fleet_tui.core.ledger.events import UnknownEvent
from fleet_tui.core.logs import LogGap, LogQuery
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.recordings.importing import import_recording
from fleet_tui.journal.telemetry.logs import LogReader
from fleet_tui.journal.telemetry.samples import SampleReader
from tests.journal.stories import AGENT

DATA = Path(__file__).parent / "data"
FORMATS = [1]


def golden_journal(number: int, tmp_path: Path) -> Path:
    """A private copy: version control keeps no modes."""
    copy = tmp_path / "state"
    shutil.copytree(DATA / f"format-{number}", copy)
    copy.chmod(0o700)
    for path in copy.iterdir():
        path.chmod(0o600)
    return copy


def golden_recording(number: int, tmp_path: Path) -> Path:
    opened = import_recording(DATA / f"format-{number}.fleetrec", tmp_path / "cache")
    assert opened.intact, opened.reason
    assert (opened.events, opened.samples, opened.lines) == (24, 2, 2)
    return Path(opened.directory)


@pytest.fixture(params=["journal", "recording"])
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return (golden_journal if request.param == "journal" else golden_recording)(1, tmp_path)


def test_the_golden_ledger_tells_its_story(golden: Path) -> None:
    with closing(JournalReader(golden)) as reader:
        assert verify(reader.directory).intact
        state = reader.load()
        history = reader.read(NOWHERE, 100)
    assert state.seq == 24
    assert state.fleet.name == "demo"
    assert state.engine.version == "0.1.0"
    assert state.totals.succeeded == 3
    assert state.closed_tasks[TaskId(f"01J{2:023d}")].phase is TaskPhase.SUCCEEDED
    assert state.agents[AGENT].cordon is not None
    assert state.alerts[AlertId("agent-down:agent-01")].text == "is down"
    assert state.notes[-1].text.raw == "the golden note \x1b[31m"
    assert state.unknown_events == 1
    later = UnknownEvent(kind="agent.sang", body=b'{"kind":"agent.sang","song":"la"}')
    assert later in [recorded.event for recorded in history]


def test_the_golden_telemetry_is_there(golden: Path) -> None:
    with closing(SampleReader(golden)) as samples, closing(LogReader(golden)) as logs:
        assert samples.latest_probes()[AGENT].observed_at_ms == 1_795_000_001_000
        assert samples.fleet_samples(0, 2**50, 5)[0].up == 1
        assert logs.query(LogQuery(words="disk"))[0].text.raw == "disk low"
        assert isinstance(logs.after(0, 5)[1], LogGap)


@pytest.mark.parametrize("number", FORMATS)
async def test_an_engine_goes_on_with_a_golden_journal(number: int, tmp_path: Path) -> None:
    directory = golden_journal(number, tmp_path)
    writer = await JournalWriter.open(directory, lambda: 0, "9.9.9", 1)
    assert writer.epoch == 2
    assert writer.state.totals.succeeded == 3
    await writer.close("done")
