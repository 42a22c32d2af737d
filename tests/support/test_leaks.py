"""Whoever changes the process is found out, and the next test finds it as it was."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet_tui.base import crash
from fleet_tui.base.confine import confine
from tests.support import leaks


def _log() -> None:
    logging.getLogger().addHandler(logging.NullHandler())
    crash.quiet_stderr()


CHANGES: dict[str, Callable[[], object]] = {
    "working directory": lambda: os.chdir("/"),
    "umask": lambda: os.umask(0o123),
    "environment": lambda: os.environ.update(HOME="/nowhere", NEW="here"),
    "signal handlers": lambda: signal.signal(signal.SIGUSR2, print),
    "exception hooks": crash.install,
    "logging": _log,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_told_and_put_back(name: str) -> None:
    before = leaks.look()
    CHANGES[name]()
    told = leaks.put_back(before)
    assert [line.partition(":")[0] for line in told] == [name]
    assert leaks.look() == before
    assert leaks.put_back(before) == []


def test_a_process_that_confined_itself_is_let_out() -> None:
    before = leaks.look()
    confine()
    leaks.put_back(before)
    assert leaks.look() == before


LEAKY = """
import os

def test_that_leaks():
    os.umask(0o077)

def test_that_comes_after():
    assert os.umask(0o022) == 0o022
"""


def test_the_suite_names_who_leaks(tmp_path: Path) -> None:
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    (tmp_path / "pytest.ini").touch()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    assert "ERROR test_leaky.py::test_that_leaks - Failed: this test did not put back" in (
        done.stdout
    ), done.stdout + done.stderr
    assert "umask: 0o22 -> 0o77" in done.stdout
    assert "2 passed, 1 error" in done.stdout
