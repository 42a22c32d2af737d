"""``submit --wait`` for a key whose task ended long ago: the journal still tells how."""

from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode, FleetError
from fleet_tui.cli import submit
from fleet_tui.cli.common import Fleet
from fleet_tui.core.ids import TaskId
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import opening, tasks

NOW_MS = 1_700_000_000_000


async def ended_long_ago(directory: Path) -> TaskId:
    """A ledger whose first task ended before so many others that it is forgotten."""
    writer = await JournalWriter.open(directory, lambda: NOW_MS, "v", 1)
    await writer.append(opening(), NOW_MS)
    first = TaskId(f"01J{1:023d}")
    await writer.append(list(tasks(MAX_CLOSED_TASKS + 1)), NOW_MS)
    assert writer.state.task(first) is None
    await writer.close("x")
    return first


async def test_the_end_of_a_forgotten_task_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fleet_tui.cli.submit.time.sleep", lambda _: pytest.fail("it waits for what is over")
    )
    first = await ended_long_ago(tmp_path / "s")
    fleet = Fleet("demo", None, tmp_path / "s")
    assert submit._wait(fleet, first, as_json=False) == ExitCode.OK
    assert capsys.readouterr().out


async def test_what_the_journal_does_not_hold_is_said_to_be_over(tmp_path: Path) -> None:
    await ended_long_ago(tmp_path / "s")
    fleet = Fleet("demo", None, tmp_path / "s")
    with pytest.raises(FleetError, match="no longer holds it"):
        submit._wait(fleet, TaskId("GONE"), as_json=False)
