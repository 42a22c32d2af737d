"""``edit`` asks for a new text wherever one can help."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet_tui.base.errors import ExitCode
from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.core.ids import PoolName
from fleet_tui.core.tasks.events import TaskEnded, TaskSubmitted
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import opening, task_story

NOW_MS = 1_795_000_000_000

pytestmark = pytest.mark.usefixtures("own_process")


@pytest.mark.parametrize(
    ("phase", "code", "said"),
    [
        (TaskPhase.FAILED, ExitCode.USAGE, "an editor needs a terminal"),
        (TaskPhase.CANCELLED, ExitCode.REFUSED, "only dead letters can be edited"),
    ],
)
async def test_a_dead_letter_whose_pool_left_the_fleet_file_can_be_edited(
    here: Path, capsys: pytest.CaptureFixture[str], phase: TaskPhase, code: ExitCode, said: str
) -> None:
    """What is wrong with it is what the edit mends, so it is no reason to refuse one beforehand."""
    submitted = task_story(1)[0]
    assert isinstance(submitted, TaskSubmitted)
    spec = replace(submitted.spec, pool=PoolName("gone"))
    ended = TaskEnded(task=submitted.task, phase=phase, reason="a test")
    writer = await JournalWriter.open(fleet_dir("demo"), lambda: NOW_MS, "v", 1)
    await writer.append([*opening(), replace(submitted, spec=spec), ended], NOW_MS)
    await writer.close("x")
    assert run(["edit", "t-1", "-f", "demo"]) == code
    assert said in capsys.readouterr().err
