"""Commands in a terminal: whatever a ledger, a file or an argument holds, none of it is sent."""

import io
import os
import sys
from pathlib import Path

import click
import pytest

from fleet_tui.cli import terminal
from fleet_tui.cli.main import run
from fleet_tui.core.text.firewall import safe_line
from tests.support import payloads
from tests.support.pty_harness import PtyProgram, python

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
    assert "CODES 0 1 2 3 4 DONE" in sent, "the commands worked"
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
