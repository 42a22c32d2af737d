"""Leaving: however the console is ended, the terminal is as it was and nothing stays behind."""

import os
import select
import signal
from pathlib import Path

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


def freeze(program: PtyProgram) -> None:
    """Have it paint without reading that, until it waits for the terminal."""
    process, before = psutil.Process(program.pid), -1
    for _ in range(200):
        written = process.io_counters().write_chars
        if written == before and any(thread in WAITS for thread in waits(process)):
            return
        before = written
        program.press("12")
        select.select([], [], [], 0.1)
    raise AssertionError(f"it does not wait for the terminal: {waits(process)}")


WAITS = frozenset({"wait_woken", "n_tty_write"})
"""Where the kernel keeps a thread whose terminal has no room."""


def waits(process: psutil.Process) -> list[str]:
    """What each thread waits for in the kernel."""
    tasks = Path(f"/proc/{process.pid}/task")
    return [(task / "wchan").read_text() for task in tasks.iterdir()]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_nobody_reads_holds_nobody_back(how: signal.Signals) -> None:
    with console() as program:
        program.wait_for("agent-14", "Queue depth")
        freeze(program)
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
