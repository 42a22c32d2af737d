"""Every task that was acknowledged can be asked for, however long ago it ended."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet_tui.cli.main import run
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from tests.support.old_fleet import FIRST, write_old_fleet

ALL = MAX_CLOSED_TASKS + 30

pytestmark = pytest.mark.usefixtures("own_process")

Call = Callable[..., tuple[int, str]]


@pytest.fixture
async def call(here: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command against a ledger of ALL tasks; the state has forgotten the first 30."""
    await write_old_fleet(ALL)

    def called(*words: str) -> tuple[int, str]:
        code = run([words[0], "-f", "demo", *words[1:]])
        out, err = capsys.readouterr()
        return code, out + err

    return called


@pytest.mark.parametrize("name", ["t-1", "1", FIRST])
def test_why_tells_an_old_task_like_a_new_one(call: Call, name: str) -> None:
    def shape(text: str) -> str:
        numbers = r"\bt-\d+|do \d+|\d\d:\d\d:\d\d|\d+-\d\d-\d\d|#\d+|key-\d+|01J\w+"
        return re.sub(numbers, "*", text)

    code, old = call("why", name)
    assert code == 0
    assert re.search(r"t-1  P2  \S succeeded", old)
    assert re.search(r"- Answer - attempt 1.*\n done\n", old)
    assert "t-1 submitted by ana" in old, "its story has its label, not its id"
    assert shape(old) == shape(call("why", f"t-{ALL}")[1])


def test_why_prints_an_old_task_as_json(call: Call) -> None:
    code, out = call("why", "t-1", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["task"]["id"] == FIRST
    assert told["task"]["phase"] == "succeeded"
    assert len(told["events"]) == 5


def test_its_decisions_and_its_log_are_found_by_its_label(call: Call) -> None:
    code, out = call("routes", "--task", "t-1")
    assert code == 0
    assert out.count("t-1 ") == 1
    assert "agent-01" in out
    code, out = call("logs", "--task", "t-1")
    assert code == 0
    assert "thinking" in out
    assert "t-1 " in out


def test_older_tasks_are_listed_page_by_page(call: Call) -> None:
    code, out = call("tasks", "--limit", "5")
    assert code == 0
    assert "30 older tasks in the ledger; --before t-31 lists them" in out
    seen: list[str] = []
    before = "t-31"
    while before:
        code, out = call("tasks", "--before", before, "--limit", "13")
        assert code == 0
        seen += re.findall(r"^t-\d+", out, re.MULTILINE)
        more = re.search(r"--before (t-\d+)", out)
        before = more[1] if more else ""
    assert seen == [f"t-{n}" for n in range(30, 0, -1)]
    assert call("tasks", "--before", "t-9", "--phase", "failed")[1] == "No tasks match.\n"
    everything = json.loads(call("tasks", "--before", "999999", "--limit", "4000", "--json")[1])
    assert len(everything["tasks"]) == ALL


def test_what_is_no_task_is_still_unknown(call: Call) -> None:
    for name in ("t-0", f"t-{ALL + 1}", "01J", "x" * 26, "\udc80"):
        code, out = call("why", name)
        assert code == 2
        assert "is known" in out


@pytest.mark.parametrize(
    "words",
    [
        ("cancel", "t-1"),
        ("hold", "t-1"),
        ("expedite", "t-1"),
        ("requeue", "t-1", "--yes"),
        ("drop", "t-1", "--reason", "x", "--yes"),
        ("edit", "t-1", "--text", "y"),
        ("resolve", "t-1", "ran", "x"),
    ],
)
def test_nothing_can_be_done_to_it_and_that_is_said(call: Call, words: tuple[str, ...]) -> None:
    code, out = call(*words)
    assert code == 6, out
    assert "t-1 succeeded too long ago to be changed" in out
