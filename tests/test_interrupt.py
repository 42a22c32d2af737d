"""ctrl+c at any moment of a program's life: 130, no word of Python's, nothing kept as a bug.

`INTERRUPT_MOMENTS=500 .venv/bin/pytest tests/test_interrupt.py` strikes at that many events of a
command's life, spread over all of it; without it, at a few.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_tui.base import interrupt
from fleet_tui.base.errors import ExitCode
from tests.support.struck import LOST, MOMENTS, TEARDOWN
from tests.support.surroundings import CHECKOUT

SMALL = str(CHECKOUT / "sample_fleets" / "small.yaml")
TALKS = ("submit", "-f", SMALL, "x")
"""Asks an engine that is not there: a loop, a socket, an error that is told."""
READS = ("check", SMALL)
SPREAD = int(os.environ.get("INTERRUPT_MOMENTS", "10"))
ENDS = {READS: ExitCode.OK, TALKS: ExitCode.UNREACHABLE}


def struck(moment: str, tally: Path, words: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.support.struck", moment, str(tally), "fleet_tui", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def quiet(done: "subprocess.CompletedProcess[str]") -> bool:
    """Whether Python said nothing and nothing was taken for a bug."""
    return not any(word in done.stderr for word in ("Traceback", "ignored", "bug", "Interrupt"))


IN_THE_LOOP = "a loop works"
"""The loop is asked to cancel the command, which may just be ending by itself."""


@pytest.mark.parametrize("moment", [*(m for m in MOMENTS if m != IN_THE_LOOP), *LOST])
def test_an_interrupt_at_a_moment_ends_with_130(moment: str, tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    done = struck(moment, tally, TALKS)
    assert tally.read_text(), "it never came"
    assert done.returncode == ExitCode.INTERRUPTED, done.stderr
    assert quiet(done), done.stderr
    assert done.stdout == ""


def test_an_interrupt_of_a_loop_cancels_what_it_does_or_lets_it_end(tmp_path: Path) -> None:
    done = struck(IN_THE_LOOP, tmp_path / "tally", TALKS)
    assert (tmp_path / "tally").read_text()
    assert done.returncode in (ExitCode.INTERRUPTED, ENDS[TALKS]), done.stderr
    assert quiet(done), done.stderr


def test_an_interrupt_of_what_is_over_changes_nothing(tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    done = struck(TEARDOWN, tally, READS)
    assert tally.read_text()
    assert done.returncode == ExitCode.OK, done.stderr
    assert quiet(done), done.stderr


@pytest.mark.parametrize("words", ENDS)
def test_an_interrupt_at_every_so_many_events_ends_with_130(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    tally = tmp_path / "tally"
    whole = struck("0", tally, words)
    assert whole.returncode == ENDS[words], whole.stderr
    events = int(tally.read_text())
    for number in range(1, SPREAD + 1):
        tally.unlink()
        done = struck(str(max(1, events * number // (SPREAD + 1))), tally, words)
        at = tally.read_text()
        assert at, "it never came"
        assert done.returncode in (ExitCode.INTERRUPTED, ENDS[words]), (at, done.stderr)
        assert quiet(done), (at, done.stderr)


CLEANS_UP = """
import os, signal, time
from fleet_tui.base import interrupt

def main():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    finally:
        end = time.monotonic() + 6 * interrupt.LOOK_AFTER_S
        try:
            while time.monotonic() < end:
                time.sleep(0.01)
            raise OSError("what is cleaned up was gone")
        except OSError:
            time.sleep(3 * interrupt.LOOK_AFTER_S)
        print("clean", flush=True)

interrupt.program(main)
"""


def test_an_interrupt_that_is_being_handled_is_not_raised_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLEANS_UP], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "clean\n", "")


def test_a_loop_of_somebody_elses_program_keeps_its_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupt.left_to_a_loop():
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before
