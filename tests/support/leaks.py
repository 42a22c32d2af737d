"""What belongs to the whole process: a test that changes any of it puts it back before it ends.

A test that does not makes others fail much later, in an order that only one run had.
``tests/conftest.py`` looks before and after every test.
"""

import ctypes
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
"""prctl(2)."""

PYTESTS_OWN = "PYTEST_CURRENT_TEST"
"""Names the phase of the test; pytest changes it itself."""


class Kept(NamedTuple):
    """One thing of the process: its present value, and how to give it another."""

    look: Callable[[], Any]
    put_back: Callable[[Any], object]


def _umask() -> int:
    before = os.umask(0o077)  # there is no way to look without changing it
    os.umask(before)
    return before


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != PYTESTS_OWN}


def _put_environment_back(before: dict[str, str]) -> None:
    for name in _environment().keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _handlers() -> dict[int, Any]:
    """None stands for a handler that is not Python's. The alarm is pytest-timeout's own, which
    takes it away as soon as a test has failed."""
    numbers = signal.valid_signals() - {signal.SIGALRM}
    return {number: signal.getsignal(number) for number in numbers}


def _put_handlers_back(before: dict[int, Any]) -> None:
    now = _handlers()
    for number, handler in before.items():
        if now[number] != handler and handler is not None:
            signal.signal(number, handler)


def _hooks() -> tuple[Any, ...]:
    return (sys.excepthook, sys.unraisablehook, threading.excepthook)


def _put_hooks_back(before: tuple[Any, ...]) -> None:
    sys.excepthook, sys.unraisablehook, threading.excepthook = before


def _log() -> tuple[int, list[logging.Handler], logging.Formatter | None]:
    """pytest's own handlers come and go with the phases of a test."""
    root, last = logging.getLogger(), logging.lastResort
    own = [each for each in root.handlers if not type(each).__module__.startswith("_pytest.")]
    return root.level, own, None if last is None else last.formatter


def _put_log_back(before: tuple[int, list[logging.Handler], logging.Formatter | None]) -> None:
    root, last = logging.getLogger(), logging.lastResort
    level, handlers, formatter = before
    for each in _log()[1]:
        if each not in handlers:
            root.removeHandler(each)
            each.close()
    root.setLevel(level)
    if last is not None:
        last.setFormatter(formatter)


def _dumpable() -> int:
    """Whether others of this user may look into this process (Linux)."""
    if sys.platform != "linux":
        return 1
    return int(ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))


def _put_dumpable_back(before: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, before, 0, 0, 0)


KEPT: dict[str, Kept] = {
    "working directory": Kept(os.getcwd, os.chdir),
    "umask": Kept(_umask, os.umask),
    "environment": Kept(_environment, _put_environment_back),
    "signal handlers": Kept(_handlers, _put_handlers_back),
    "exception hooks": Kept(_hooks, _put_hooks_back),
    "logging": Kept(_log, _put_log_back),
    "limit on core files": Kept(
        lambda: resource.getrlimit(resource.RLIMIT_CORE),
        lambda before: resource.setrlimit(resource.RLIMIT_CORE, before),
    ),
    "openness to debuggers": Kept(_dumpable, _put_dumpable_back),
}


def look() -> dict[str, Any]:
    """Everything as it is now."""
    return {name: kept.look() for name, kept in KEPT.items()}


def put_back(before: dict[str, Any]) -> list[str]:
    """Make everything what it was; says what was not, in words that help to find who did it."""
    told = []
    for name, kept in KEPT.items():
        now = kept.look()
        if now != before[name]:
            kept.put_back(before[name])
            told.append(f"{name}: {_difference(before[name], now)}")
    return told


def _difference(before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        names = [name for name in before | now if before.get(name) != now.get(name)]
        return ", ".join(f"{name!r} {before.get(name)!r} -> {now.get(name)!r}" for name in names)
    if isinstance(before, int) and isinstance(now, int):
        return f"{before:#o} -> {now:#o}"
    return f"{before!r} -> {now!r}"
