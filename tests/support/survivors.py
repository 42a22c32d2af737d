"""What a test starts ends with it: when the last test has ended, no program may be left.

A program is known by the directories of this run of the tests, which are in the environment that it
was given: also where it left for a session of its own, and where who started it is gone.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from fleet_tui.wire.programs.wrapper import LINGER_S

PATIENCE_S = 2.0 * LINGER_S
"""What a killed engine had asked of its host waits for so long at most, and ends by itself."""


OF_PYTHON = "multiprocessing.resource_tracker"
"""Python's own helper of whoever uses processes; it ends with the process that runs the tests."""


def alive(directories: Iterable[Path]) -> list[psutil.Process]:
    """The programs that have one of these directories in their environment."""
    marks = [f"{directory}/" for directory in directories]
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it just ended, or is somebody else's
            if OF_PYTHON in " ".join(process.cmdline()):
                continue
            values = process.environ().values()
            if any(mark in value for value in values for mark in marks):
                found.append(process)
    return found


def end(directories: Iterable[Path]) -> list[str]:
    """Kill the programs that do not end by themselves; says what they are, and where each is at
    work, which names its test."""
    directories = tuple(directories)
    given_up_s = time.monotonic() + PATIENCE_S
    while (left := alive(directories)) and time.monotonic() < given_up_s:
        time.sleep(0.1)
    told = []
    for process in left:
        with suppress(psutil.NoSuchProcess):
            seen = process.as_dict(["cmdline", "cwd"])
            process.kill()
            if seen["cmdline"]:  # else it has just ended
                told.append(f"{' '.join(seen['cmdline'])!r} in {seen['cwd']}")
    return told
