"""Commands in a terminal: whatever a ledger, a file or an argument holds, none of it is sent."""

import asyncio
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli import terminal
from fleet_tui.cli.main import cli, run
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.telemetry.logs import LogWriter
from tests.journal.conftest import NOW_MS
from tests.journal.stories import opening, task_story
from tests.support import payloads
from tests.support.pty_harness import PtyProgram, python
from tests.support.scene_telemetry import seeded_lines

CLICKS = ("\x1b[2J\x1b[1;1H", "\x1b[?25l", "\x1b[?25h", "\x1b[K", "\x1b[1mbold\x1b[0m", "a\tb\r\n")
"""What click itself writes: clearing, a progress bar, words that stand out."""


def test_no_command_sends_what_a_ledger_a_file_or_an_argument_holds(tmp_path: Path) -> None:
    """The first line of defence alone: the belt is off."""
    with PtyProgram(
        python("-m", "tests.support.hostile_ledger", str(tmp_path)),
        env={"FLEET_TUI_STATE_DIR": str(tmp_path / "state")},
    ) as program:
        program.wait_until(lambda text: text.rstrip().endswith("DONE"), within_s=100)
        assert program.wait_for_end() == 0
        sent = program.painted.decode("utf-8")
    assert "CODES 0 1 2 3 4 6 DONE" in sent, "the commands worked"
    assert "a bug" not in sent
    assert "Traceback" not in sent
    unsafe = {char for char in sent if not char.isprintable()} - {"\r", "\n"}
    assert not unsafe, [line for line in sent.split("\r\n") if unsafe & set(line)][:5]
    assert "␛]52;c;" in sent, "it is shown instead"
    assert payloads.MARKUP[0] in sent


TYPED = [
    ("init", "{}"),
    ("import", "ansible", "{}"),
    ("import", "hosts", "{}"),
    ("demo", "--scenario", "{}"),
    ("demo", "--seed", "{}"),
    ("tasks", "--phase", "{}"),
    ("tasks", "--limit", "{}"),
    ("tasks", "--{}"),
    ("check", "--format", "{}"),
    ("priority", "{}", "t-1"),
    ("submit", "x", "--class", "{}"),
    ("submit", "x", "--file", "{}"),
    ("{}",),
]


def is_argument(text: str) -> bool:
    """Whether a program can be started with it."""
    try:
        return b"\x00" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


@pytest.mark.parametrize("words", TYPED, ids=[" ".join(words) for words in TYPED])
def test_what_was_typed_wrongly_is_repeated_as_text(
    words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a file or a pipe too, where no terminal's belt is worn."""
    (here / "fleet.yaml").write_text("version: 1\nfleet: f\nagents: {}\n")
    for hostile in (*payloads.ALL, "a" + "\u0301" * 50, "x\udc80y"):
        if not is_argument(hostile):
            continue
        code = run([word.format(hostile) for word in words])
        out, err = capsys.readouterr()
        assert code == 2, (hostile, err)
        for line in (out + err).splitlines():
            assert safe_line(line) == line, hostile


NO_TEXT = "caf\udce9"
"""A name of a file in Latin-1, as the system hands it over."""

BEGIN_OR_STAY = {"open", "demo", "engine", "review"}
"""They begin something, or take the terminal."""


def commands(group: click.Group, *names: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that prints and ends, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        elif command is not None and name not in BEGIN_OR_STAY:
            yield (*names, name), command


COMMANDS = tuple(commands(cli))


def calls(command: click.Command) -> Iterator[list[str]]:
    """The words after its name: in each call another parameter is no text."""
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    flags = [each.opts[0] for each in command.params if {"--yes", "--json"} & {*each.opts}]
    for odd in command.params:
        if isinstance(odd, click.Option) and (odd.is_flag or odd.count):
            continue
        words = [
            NO_TEXT if each is odd else "t-1" for each in arguments if each is odd or each.required
        ]
        if isinstance(odd, click.Option):
            words += [odd.opts[-1], NO_TEXT]
        yield words
        yield [*words, *flags]


@pytest.mark.usefixtures("own_process")
@pytest.mark.parametrize(
    ("names", "command"), COMMANDS, ids=[" ".join(names) for names, _ in COMMANDS]
)
async def test_bytes_that_are_no_text_are_no_bug(
    names: tuple[str, ...],
    command: click.Command,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (here / "fleet.yaml").write_text("version: 1\nfleet: demo\nagents: {}\n")
    writer = await JournalWriter.open(fleet_dir("demo"), lambda: NOW_MS, "v", 1)
    await writer.append([*opening(), *task_story(1)], NOW_MS)
    await writer.close("x")
    logs = await LogWriter.open(fleet_dir("demo"))
    logs.write(seeded_lines()[:1])
    await logs.close()
    for words in calls(command):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
        await asyncio.to_thread(run, [*names, *words])
        out, err = capsys.readouterr()
        assert "a bug" not in err, (words, err)
        for line in (out + err).splitlines():
            assert safe_line(line) == line, words


class Screen(io.BytesIO):
    def isatty(self) -> bool:
        return True


def belted(text: str) -> str:
    screen = Screen()
    plain = io.TextIOWrapper(screen, "utf-8", newline="")
    stream = terminal._belted(plain)
    assert isinstance(stream, terminal.Belted)
    assert stream.write(text) == len(text)
    plain.flush()
    return screen.getvalue().decode()


HARMLESS = {"\x1b[31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[?25l", "down\rup  "}
"""What click uses too cannot be told from it; the firewall is what stops these."""


@pytest.mark.parametrize("payload", sorted(set(payloads.ESCAPES) - HARMLESS))
def test_the_belt_shows_what_would_act(payload: str) -> None:
    shown = belted(f"before {payload} after")
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    for own in ("\x1b[2K",):
        shown = shown.replace(own, "")
    assert shown.isprintable(), shown


@pytest.mark.parametrize("own", CLICKS)
def test_what_click_needs_passes(own: str) -> None:
    assert belted(own) == own


def test_a_file_or_a_pipe_wears_no_belt() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    assert terminal._belted(stream) is stream


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", "Zo\\xeb \\u8acb \\U0001f600"), ("latin-1", "Zoë \\u8acb \\U0001f600")],
)
def test_what_an_encoding_cannot_show_is_escaped(
    encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding, "strict")
    monkeypatch.setattr("sys.stdout", stream)
    terminal.belt()
    click.echo("Zoë 請 😀")
    sys.stdout.flush()
    assert file.getvalue().decode(encoding) == shown + "\n"
