"""The command line itself: what is said when nothing can be done, and with which exit code."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from fleet_tui import __version__
from fleet_tui.bundled import sample_fleet
from fleet_tui.cli.main import COMMANDS, run
from fleet_tui.errors import (
    ExitCode,
    FleetError,
    Interrupted,
    InvalidConfig,
    PartialFailure,
    Refused,
    Unreachable,
    UsageError,
)

NEEDS_ENGINE = [
    ["submit", "do it"],
    ["cordon", "echo"],
    ["uncordon", "echo"],
    ["stop"],
]
NEEDS_LEDGER = [["status"], ["agents"], ["tasks"], ["routes"], ["logs"], ["why", "1"]]


def local() -> str:
    return str(sample_fleet("local"))


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"fleet-tui, version {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_once(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([flag]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2].splitlines()
    names = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
    assert names == list(COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "-h"]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "meant"), [("statsu", "status"), ("taks", "tasks"), ("chek", "check")]
)
def test_a_typing_mistake_is_answered_with_the_nearest_name(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([typed]) == ExitCode.USAGE
    assert f"Did you mean {meant}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["tasks", "--nope"], ["why"], ["tasks", "--limit", "0"]])
def test_bad_usage_is_told(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == ExitCode.USAGE
    assert "Usage: fleet-tui" in capsys.readouterr().err


@pytest.mark.parametrize("words", [*NEEDS_ENGINE, *NEEDS_LEDGER, ["export"], ["engine"]])
def test_without_a_fleet_it_says_how_to_get_one(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "there is no fleet.yaml here" in said
    assert "hint: `fleet-tui init` writes one" in said


@pytest.mark.parametrize("words", [*NEEDS_ENGINE, *NEEDS_LEDGER])
def test_without_an_engine_it_says_how_to_start_one(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, *rest = words
    assert run([verb, "-f", local(), *rest]) == ExitCode.UNREACHABLE
    said = capsys.readouterr().err
    assert "hint: `fleet-tui open" in said
    assert not list(here.glob("fleets/*"))


@pytest.mark.parametrize("fleet", ["nowhere.yaml", "no-such-fleet", "/proc/nope", "\x1b[31m"])
def test_a_fleet_that_is_not_there(
    fleet: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", fleet]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "neither a fleet file nor a fleet that ran here" in said
    assert "\x1b" not in said


def test_a_broken_fleet_file_is_told_by_its_place(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("fleet.yaml").write_text("version: 1\nfleet: f\nagents: {a: {host: h, port: x}}\n")
    assert run(["engine"]) == ExitCode.INVALID_CONFIG
    assert "fleet.yaml:3:" in capsys.readouterr().err


def test_the_console_needs_a_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["open", local()], ["demo"], ["review", "x"]):
        assert run(words) == ExitCode.USAGE
        assert "fleet-tui status` works without one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FleetError("no"), 1),
        (UsageError("no"), 2),
        (InvalidConfig("no"), 3),
        (Unreachable("no"), 4),
        (PartialFailure("no"), 5),
        (Refused("no"), 6),
        (Interrupted("no"), 130),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("no"), 2),
        (OSError(28, "No space left on device", "/state/x"), 1),
        (BrokenPipeError(32, "Broken pipe"), 0),
        (ZeroDivisionError("a bug\x1b[2J"), 1),
    ],
)
def test_every_end_has_its_code_and_no_traceback(
    error: BaseException,
    code: int,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(args: list[str]) -> object:
        raise error

    monkeypatch.setattr("fleet_tui.cli.main._invoke", fail)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert run([]) == code
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "\x1b" not in said.err


def test_a_bugs_traceback_is_kept_for_us(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fleet_tui.cli.main._invoke", lambda args: 1 // 0)
    assert run([]) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "a bug stopped this command (ZeroDivisionError" in said
    (kept,) = here.rglob("crash-*.txt")
    assert str(kept) in said
    assert "ZeroDivisionError" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("words", [["--help"], ["keys"], ["schema"], ["check", local(), "--json"]])
def test_a_reader_that_goes_away_is_no_error(words: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fleet_tui", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait() == ExitCode.OK


def test_keys_are_those_of_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    from fleet_tui.console.action import keys_text
    from fleet_tui.console.actions import ACTIONS

    assert run(["keys"]) == 0
    printed = capsys.readouterr().out.splitlines()
    for action in ACTIONS:
        assert any(
            line.split("  ")[1].strip() == keys_text(action) and action.title in line
            for line in printed
            if line.startswith("  ")
        ), action.name
