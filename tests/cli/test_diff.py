"""``fleet-tui diff``: two moments of a ledger, compared."""

import json
import re
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.recordings.recording import export
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

NAME = "demo"
MINUTE_MS = 60_000

pytestmark = pytest.mark.usefixtures("own_process")


@pytest.fixture
async def recording(here: Path) -> Path:
    """Ten minutes: a fleet comes up, then an agent is cordoned and two tasks are submitted."""
    story = Story(fleet(agent("anna"), agent("bert")))
    story.all_up()
    path = here / "past.fleetrec"
    writer = await JournalWriter.open(fleet_dir(NAME), lambda: story.now_ms, "v", 1)
    await writer.append([row.event for row in story.rows], story.now_ms)
    told = len(story.rows)
    story.now_ms += 10 * MINUTE_MS
    story.cordon("anna")
    story.submit(work())
    story.submit(work())
    await writer.append([row.event for row in story.rows[told:]], story.now_ms)
    await writer.close("x")
    export(fleet_dir(NAME), path, redact=str)
    return path


def call(recording: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(["diff", "-f", str(recording), *words])
    return code, *capsys.readouterr()


def test_what_changed_is_a_line_each(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(recording, capsys, "5m")
    assert (code, err) == (0, "")
    first, _, *rows = out.splitlines()
    assert first.endswith(", 5m00s")
    assert [re.split(r"  +", row) for row in rows] == [
        ["agent", "anna", "up", "cordoned", "state"],
        ["agent", "anna", "-", "by me: a test", "cordon"],
        ["work", "-", "0", "2", "waiting"],
        ["work", "-", "0", "2", "submitted"],
    ]


def test_programs_read_the_same(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(recording, capsys, "5m", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["to_ms"] - told["from_ms"] == 5 * MINUTE_MS
    assert told["changes"][0] == {
        "about": "agent",
        "name": "anna",
        "field": "state",
        "before": "up",
        "after": "cordoned",
        "is_worse": False,
    }


def test_a_ledger_is_compared_from_its_beginning_on(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(recording, capsys, "1d")
    assert code == 0
    assert re.fullmatch(r"note: the ledger begins at \d\d:\d\d:\d\d\n", err)
    assert out.splitlines()[0].endswith(", 10m00s")


def test_nothing_changed(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(recording, capsys, "5m", "4m")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["Nothing changed."]


def test_what_is_no_pair_of_moments_is_said(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(recording, capsys, "1s", "1m")
    assert code == ExitCode.USAGE
    assert re.search(r"FROM \d\d:\d\d:\d\d is later than TO \d\d:\d\d:\d\d", err)
    code, _, err = call(recording, capsys, "soon")
    assert code == ExitCode.USAGE
    assert "'soon' is not a time like" in err
