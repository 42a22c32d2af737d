"""Recordings as what a command is about: those that look take one, those that act refuse it."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.main import run
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from fleet_tui.journal.recordings.recording import export
from tests.support.old_fleet import FIRST, NOW_MS, write_old_fleet

ALL = MAX_CLOSED_TASKS + 600
"""More than twenty hundred and five tasks that have ended."""

pytestmark = pytest.mark.usefixtures("own_process")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
async def recording(here: Path) -> Path:
    """A recording of ALL tasks; nothing else is left of the fleet."""
    directory = await write_old_fleet(ALL)
    path = here / "incident.fleetrec"
    export(directory, path, redact=str)
    shutil.rmtree(directory)
    return path


@pytest.fixture
def call(recording: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command about the recording."""

    def called(verb: str, *words: str) -> tuple[int, str, str]:
        code = run([verb, "-f", str(recording), *words])
        return code, *capsys.readouterr()

    return called


def test_every_command_that_looks_takes_a_recording(call: Call) -> None:
    assert ALL >= 2_500
    code, out, err = call("why", "t-1")
    assert (code, err) == (0, "")
    assert re.search(r"t-1  P2  \S succeeded", out)
    assert "fleet-tui" not in out, "nothing can be done to it any more"
    assert "t-1 submitted by ana" in out
    code, out, _ = call("why", "t-1", "--json")
    assert json.loads(out)["task"]["id"] == FIRST
    assert re.search(r"- Answer - attempt 1.*\n done\n", call("why", f"t-{ALL}")[1])
    code, out, _ = call("tasks", "--limit", "5")
    assert code == 0
    assert "600 older tasks in the ledger; --before t-601 lists them" in out
    assert re.findall(r"^t-\d+", call("tasks", "--before", "t-3")[1], re.MULTILINE) == [
        "t-2",
        "t-1",
    ]
    document = json.loads(call("tasks", "--before", "t-3", "--json")[1])
    assert [task["number"] for task in document["tasks"]] == [2, 1]
    assert "agent-01" in call("routes", "--task", "t-1")[1]
    assert "thinking" in call("logs", "--task", "t-1", "--since", "10m")[1]
    assert "agent-01" in call("agents")[1]
    assert json.loads(call("status", "--json")[1])["fleet"] == "demo"
    assert call("dead")[0] == 0
    code, _, err = call("logs", "--follow")
    assert (code, "no new lines" in err) == (ExitCode.USAGE, True)


def test_its_time_stands_still(call: Call) -> None:
    """Ages are told from where it ends, however long ago that was."""
    told = [call("status", "--json")[1], call("tasks", "--json")[1], call("agents", "--json")[1]]
    assert {json.loads(text)["at_ms"] for text in told} == {NOW_MS}
    ages = {line.split()[5] for line in call("tasks")[1].splitlines() if line.startswith("t-")}
    assert ages == {"0s"}


ACTING = [
    ("cancel", "t-1"),
    ("submit", "x"),
    ("hold", "t-1"),
    ("requeue", "t-1", "--yes"),
    ("resolve", "t-1", "ran", "x"),
    ("cordon", "agent-01"),
    ("freeze",),
    ("stop",),
    ("backup",),
    ("export",),
    ("doctor",),
    ("engine",),
]


@pytest.mark.parametrize("words", ACTING, ids=[words[0] for words in ACTING])
def test_a_command_that_acts_says_that_it_is_a_recording(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    (here / "incident.fleetrec").touch()
    code = run([words[0], "-f", "incident.fleetrec", *words[1:]])
    err = capsys.readouterr().err
    assert code == ExitCode.USAGE, err
    assert "incident.fleetrec is a recording; nothing can be done to it" in err
    assert "why, logs" in err


def test_it_is_known_by_how_it_begins_too(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = recording.rename(recording.with_name("attachment"))
    assert run(["why", "-f", str(other), "t-1"]) == 0
    assert "succeeded" in capsys.readouterr().out


def test_where_it_is_not_intact_is_said(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording.write_bytes(recording.read_bytes()[:-100])
    assert run(["tasks", "-f", str(recording), "--limit", "1"]) == 0
    assert "note: not intact from record" in capsys.readouterr().err
    assert run(["verify", str(recording)]) == ExitCode.FAILED
    told = capsys.readouterr().out
    assert re.search(r"^records \d+ on cannot be trusted; \d+ events can be read$", told, re.M)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _nothing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (os.mkfifo, "odd.fleetrec is no regular file, and no recording"),
        (_link_to_nothing, "there is no recording odd.fleetrec"),
        (_nothing, "there is no recording odd.fleetrec"),
        (_loop, "odd.fleetrec: Too many levels of symbolic links"),
    ],
)
@pytest.mark.parametrize("verb", ["verify", "review", "status", "export"])
def test_what_is_no_file_is_told_at_once(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    make: Callable[[Path], None],
    says: str,
) -> None:
    monkeypatch.setattr("fleet_tui.cli.review.need_terminal", lambda: None)
    make(here / "odd.fleetrec")
    assert run([verb, "odd.fleetrec"]) == ExitCode.USAGE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("verify", "there is no ledger in the directory odd.fleetrec"),
        ("status", "odd.fleetrec is a directory, and no recording"),
    ],
)
def test_a_directory_is_told_as_what_it_is(
    here: Path, capsys: pytest.CaptureFixture[str], verb: str, says: str
) -> None:
    (here / "odd.fleetrec").mkdir()
    assert run([verb, "odd.fleetrec"]) == ExitCode.USAGE
    assert says in capsys.readouterr().err
