"""The command line itself: what is said when nothing can be done, and with which exit code."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from fleet_tui import __version__
from fleet_tui.base.bundled import sample_fleet
from fleet_tui.base.errors import (
    CommandRefused,
    ExitCode,
    FleetError,
    InvalidConfig,
    PartialFailure,
    Unreachable,
    UsageError,
)
from fleet_tui.cli.common import Fleet, ask_engine
from fleet_tui.cli.files import recording_target
from fleet_tui.cli.main import chapters, commands, run
from fleet_tui.cli.review import directory_of
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.replies import Reply
from fleet_tui.core.plans import Impact
from fleet_tui.feed.client import LATE_REPLY, NO_ENGINE, NO_REPLY

pytestmark = pytest.mark.usefixtures("own_process")

NEEDS_ENGINE = [
    ["submit", "do it"],
    ["cordon", "echo"],
    ["uncordon", "echo"],
    ["stop"],
]
NEEDS_LEDGER = [["status"], ["agents"], ["tasks"], ["routes"], ["logs"], ["why", "1"], ["export"]]


def local() -> str:
    return str(sample_fleet("local"))


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"fleet-tui, version {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_once(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([flag]) == 0
    _, noun, listed = capsys.readouterr().out.partition(f"{next(iter(chapters()))}:")
    lines = (noun + listed).splitlines()
    assert [line[:-1] for line in lines if line[:1].isalpha()] == list(chapters())
    names = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert names == list(commands())


@pytest.mark.parametrize("name", list(commands()))
def test_every_command_has_help(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = import_module(f"fleet_tui.cli.{commands()[name][0]}")
    command = getattr(module, f"{name}_command")
    # A test that called it without the program before it has left it with --help alone.
    monkeypatch.setattr(command, "_help_option", None)
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


@pytest.mark.parametrize("words", [*NEEDS_ENGINE, *NEEDS_LEDGER, ["engine"]])
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
    assert "neither a fleet file nor the name of a fleet that has run here" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("fleet", "says"),
    [
        (".", "'.' is a directory"),
        ("..", "'..' is a directory"),
        ("/dev/null", "'/dev/null' is no regular file"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_a_fleet_is_told_as_what_it_is(
    fleet: str, says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "fleets").mkdir()
    assert run(["status", fleet]) == ExitCode.USAGE
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["status", "agents", "tasks", "routes"])
@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0", "1e308", "soon"])
def test_a_pause_that_is_none(
    verb: str, seconds: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "--watch", seconds]) == ExitCode.USAGE
    assert "is not a number of seconds from 0.2 to 86400" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code"), [("check {} >&-", 0), ("submit -f {} <&-", 2), ("submit -f {} hi <&-", 4)]
)
def test_streams_that_were_closed_are_no_bug(line: str, code: int, here: Path) -> None:
    program = f"{sys.executable} -m fleet_tui"
    done = subprocess.run(
        ["sh", "-c", f"{program} {line.format(local())}"], stderr=subprocess.PIPE, check=False
    )
    assert b"a bug" not in done.stderr
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nonsense 2>/dev/full", 2),
        ("nonsense 2</dev/null", 2),
        ("nonsense >/dev/full 2>&1", 2),
        ("status -f nowhere 2>/dev/full", 2),
        ("schema >/dev/full 2>&1", 1),
    ],
)
def test_an_end_that_cannot_be_said_keeps_its_code(line: str, code: int, here: Path) -> None:
    program = f"{sys.executable} -m fleet_tui"
    assert subprocess.run(["sh", "-c", f"{program} {line}"], check=False).returncode == code


@pytest.mark.parametrize("reply", [NO_REPLY, LATE_REPLY], ids=["gone", "late"])
def test_an_engine_that_leaves_one_command_without_a_reply_is_asked_nothing_more(
    here: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    asked: list[Command] = []

    class Silent:
        @classmethod
        async def connect(cls, *_: object) -> "Silent":
            return cls()

        async def send(self, command: Command, shown: Impact | None = None) -> Reply:
            asked.append(command)
            return reply

        async def close(self) -> None:
            pass

    monkeypatch.setattr("fleet_tui.feed.client.EngineClient", Silent)
    commands = [StopEngine(reason=str(n)) for n in range(3)]
    replies = ask_engine(Fleet("f", None, here), commands)
    assert replies == [reply, NO_ENGINE, NO_ENGINE]
    assert asked == commands[:1]


def test_a_recording_goes_where_there_is_room_for_it(here: Path) -> None:
    there = here / "there"
    there.touch()
    assert recording_target(there, "x", force=True) == there
    with pytest.raises(CommandRefused, match="exists"):
        recording_target(there, "x", force=False)
    with pytest.raises(FleetError, match="there is no directory"):
        recording_target(here / "no" / "x", "x", force=True)


def test_a_recording_that_is_not_there(here: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no recording x\.fleetrec"):
        directory_of("x.fleetrec")


def test_a_fleet_without_hosts_has_no_keys_to_trust(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["trust", local()]) == ExitCode.OK
    assert "has no hosts reached over SSH" in capsys.readouterr().out


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
        (CommandRefused("no"), 6),
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
    from fleet_tui.console.actions.action import keys_text
    from fleet_tui.console.actions.registry import ACTIONS

    assert run(["keys"]) == 0
    printed = capsys.readouterr().out.splitlines()
    for action in ACTIONS:
        assert any(
            line.split("  ")[1].strip() == keys_text(action) and action.title in line
            for line in printed
            if line.startswith("  ")
        ), action.name


@pytest.mark.parametrize(
    "words",
    [
        ["check", "\ud800.yaml"],
        ["submit", "-f", "demo", "\ud800"],
        ["import", "hosts", "\ud800"],
        ["schema", "--write", "\ud800.json"],
    ],
)
def test_what_the_locale_cannot_write_is_no_bug(
    words: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # In locales with characters of several bytes the shell can hand over what Python cannot give
    # back.
    assert run(words) == ExitCode.USAGE
    assert "is no text in this locale" in capsys.readouterr().err
