"""Looking back as it is typed: ``fleet-tui review FILE`` in a real terminal."""

import asyncio
import sys
from pathlib import Path

import pytest

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.base.redact import redact
from fleet_tui.config.load import load_fleet
from fleet_tui.journal.recordings.recording import export
from fleet_tui.sim.demo.process import write_history
from tests.support.pty_harness import PtyProgram

MINUTES = 4


@pytest.fixture
def recording(short_dir: Path) -> Path:
    """A few minutes of the demo's history, exported."""
    directory = short_dir / "ledger"
    directory.mkdir(mode=0o700)
    fleet = load_fleet(sample_fleet("demo"), {}).spec
    asyncio.run(write_history(directory, fleet, seed=1, minutes=MINUTES))
    path = short_dir / "past.fleetrec"
    export(directory, path, redact=redact)
    return path


def test_a_recording_is_played_and_cannot_act(recording: Path) -> None:
    command = [sys.executable, "-m", "fleet_tui", "review", str(recording)]
    with PtyProgram(command, columns=120, rows=40) as program:
        program.wait_for("REVIEW", "x1 paused", "you are here", "agent-01")
        program.press("p")
        program.wait_for("x1 playing")
        program.press("T")
        program.wait_for("recording")
        program.press("\x11")
        program.watch(20)
        assert program.is_over()
    assert "bug" not in program.text()


def test_what_is_no_recording_is_refused_in_one_sentence(short_dir: Path) -> None:
    path = short_dir / "x.fleetrec"
    path.write_text("not a recording")
    command = [sys.executable, "-m", "fleet_tui", "review", str(path)]
    with PtyProgram(command) as program:
        program.wait_for("is not a recording")
        program.watch(20)
        assert program.is_over()
    assert "Traceback" not in program.text()
