"""Leaving: however the console is ended, the terminal is as it was and nothing stays behind."""

import os
import signal
import termios
from pathlib import Path

import psutil
import pytest

from tests.support.console import console as in_process
from tests.support.console import running, until
from tests.support.fake_feed import FakeFeed
from tests.support.pty_harness import PtyProgram, python

RESET = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?2004l", "\x1b[<u")
"""First screen, cursor, no mouse, no bracketed paste, the keyboard as before."""


def console() -> PtyProgram:
    """The scene of the tests in a terminal."""
    return PtyProgram(python("-m", "tests.support.console_runner", "--live"))


MODES = termios.ICANON | termios.ECHO | termios.ISIG


def line_modes(program: PtyProgram) -> int:
    """Whether the terminal edits lines, echoes and makes signals of keys."""
    found: int = termios.tcgetattr(program.terminal)[3]
    return found & MODES


@pytest.mark.parametrize(
    ("how", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("ctrl+q", 0)]
)
def test_the_terminal_is_given_back(how: str, code: int) -> None:
    with console() as program:
        modes = line_modes(program)
        program.wait_for("agent-14", "Queue depth")
        assert line_modes(program) != modes
        before = len(program.painted)
        if how == "ctrl+q":
            program.press("\x11")
        else:
            os.kill(program.pid, signal.Signals[how])
        assert program.wait_for_end() == code
        sent = program.painted[before:].decode("utf-8", "replace")
        assert line_modes(program) == modes
    assert [sequence for sequence in RESET if sequence not in sent] == []
    assert "Traceback" not in sent


VALUE = "sk-value-of-a-local-variable-0123456789"
BROKEN = """
import os, sys
from fleet_tui.console.shell.run import run
from tests.support.fake_feed import FakeFeed
class Broken(FakeFeed):
    async def send(self, command, shown=None):
        held = os.environ["HELD"]
        raise RuntimeError(f"it broke with {len(held)} characters in hand")
sys.exit(run(Broken()))
"""


def test_a_bug_gives_the_terminal_back_and_leaves_a_file_without_values(tmp_path: Path) -> None:
    env = {"HELD": VALUE, "FLEET_TUI_STATE_DIR": str(tmp_path / "state")}
    with PtyProgram(python("-c", BROKEN), env=env) as program:
        modes = line_modes(program)
        program.wait_for("agent-14", "Queue depth")
        before = len(program.painted)
        program.press(":")
        program.wait_for("command")
        program.press("note hello\r")
        assert program.wait_for_end() == 1
        sent = program.painted[before:].decode("utf-8", "replace")
        assert line_modes(program) == modes
    assert [sequence for sequence in RESET if sequence not in sent] == []
    assert "a bug stopped the console (RuntimeError: it broke" in program.text()
    assert "Traceback" not in program.text()
    (file,) = (tmp_path / "state").glob("crash-*.txt")
    kept = file.read_text()
    assert "in send" in kept
    assert VALUE not in kept + sent


def test_a_hangup_with_a_continue_as_tmux_sends_it_ends_the_console() -> None:
    with console() as program:
        program.wait_for("agent-14", "Queue depth")
        threads = psutil.Process(program.pid).num_threads()
        os.kill(program.pid, signal.SIGCONT)
        program.press("2")
        program.wait_for("PROBE")
        assert psutil.Process(program.pid).num_threads() == threads, "the terminal is read once"
        os.kill(program.pid, signal.SIGHUP)
        os.kill(program.pid, signal.SIGCONT)
        program.wait_for_end()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_nobody_reads_holds_nobody_back(how: signal.Signals) -> None:
    with console() as program:
        program.wait_for("agent-14", "Queue depth")
        program.fill_terminal("12")
        os.kill(program.pid, how)
        psutil.Process(program.pid).wait(10)
        before = len(program.painted)
        while program.read(0.2):
            pass
        sent = program.painted[before:].decode("utf-8", "replace")
    assert [sequence for sequence in RESET if sequence not in sent] == []


def test_escape_and_a_digit_at_once_are_two_keys() -> None:
    with console() as program:
        program.wait_for("agent-14", "Queue depth")
        program.press(":")
        program.wait_for("command")
        program.press("\x1b2")
        program.wait_for("PROBE")


async def test_what_the_feed_brings_while_the_screen_is_taken_down_is_not_shown() -> None:
    """The parts of a screen go before the screen does, and the feed knows nothing of it."""
    feed = FakeFeed()
    app = in_process(feed)
    async with running(app) as pilot:
        screen = app.visible_screen
        assert screen is not None
        await screen.query("#header, #keys").remove()
        assert app.visible_screen is None
        feed.tick(60_000)
        await until(pilot, lambda: app.view is feed.view(), "it is brought")
        assert screen.shown is not app.view
