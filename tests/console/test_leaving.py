"""Leaving: however the console is ended, the terminal is as it was and nothing stays behind."""

import os
import signal

import psutil
import pytest

from tests.support.pty_harness import PtyProgram, python

RESET = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?2004l", "\x1b[<u")
"""First screen, cursor, no mouse, no bracketed paste, the keyboard as before."""


def console() -> PtyProgram:
    """The scene of the tests in a terminal."""
    return PtyProgram(python("-m", "tests.support.console_runner", "--live"))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "ctrl+q"])
def test_the_terminal_is_given_back(how: str) -> None:
    with console() as program:
        program.wait_for("agent-14", "Queue depth")
        before = len(program.painted)
        if how == "ctrl+q":
            program.press("\x11")
        else:
            os.kill(program.pid, signal.Signals[how])
        program.wait_for_end()
        sent = program.painted[before:].decode("utf-8", "replace")
    assert [sequence for sequence in RESET if sequence not in sent] == []


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
