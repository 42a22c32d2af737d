"""Crash reports, in every process of the program: a traceback in a private file, and one line with
its path. Never a traceback on a terminal, and never the values of local variables: they may contain
tokens and remote text.

:func:`install` is for uncaught errors, in any thread; :func:`unhandled` for tasks of an event loop;
:class:`PrivateFormatter` for log records.
"""

import errno
import logging
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from fleet_tui.base import interrupt
from fleet_tui.base.paths import private_dir, state_root
from fleet_tui.core.text.firewall import safe_line, safe_text

if TYPE_CHECKING:
    import asyncio

MAX_FILES = 20
"""Crash files that are kept; the oldest go first."""

MAX_PER_PROCESS = 10
"""So that a recurring bug does not fill the disk."""

TERMINAL_WRITER = "textual-output"
"""Textual's thread that writes to the terminal. It fails when the terminal is closed, which is not
a bug."""

MAX_FRAMES = 50
RAN_OUT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""Running out of a resource is not a bug."""
MAX_WORDS_CHARS = 500

log = logging.getLogger("fleet_tui")

_kept: list[Path] = []
"""Files written by this process."""


def stamp() -> str:
    """The wall clock in a form for file names."""
    return f"{datetime.now(tz=UTC):%Y%m%d-%H%M%S}"


def in_words(error: BaseException) -> str:
    """The kind and message of an error, as one safe line without known secrets."""
    return safe_line(_redacted(f"{type(error).__name__}: {error}"), MAX_WORDS_CHARS)


def trace(error: BaseException) -> str:
    """The traceback as safe lines: places in our code, no values of variables, no secrets."""
    lines = traceback.format_exception(error, limit=MAX_FRAMES)
    return "\n".join(safe_text(_redacted("".join(lines))))


def keep(error: BaseException, directory: Path | None = None) -> str:
    """Write the traceback of an error to a file of its own; returns a sentence with its path."""
    if len(_kept) >= MAX_PER_PROCESS:
        return f"its traceback was not kept: this process has kept {MAX_PER_PROCESS}"
    name = f"crash-{stamp()}-{os.getpid()}-{len(_kept)}.txt"
    try:
        path = private_dir(directory or state_root()) / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(trace(error) + "\n")
        _kept.append(path)
        for old in sorted(path.parent.glob("crash-*.txt"))[:-MAX_FILES]:
            old.unlink(missing_ok=True)
    except Exception as failed:  # while dying: nothing may hide the first error
        return f"its traceback could not be kept: {in_words(failed)}"
    return f"its traceback is in {path}"


def report(error: BaseException | None, directory: Path | None = None) -> str:
    """Write the traceback of the error that ended the console; returns the lines for the
    terminal."""
    if error is None:
        return "fleet-tui stopped."
    kept = keep(error, directory)
    return (
        "fleet-tui: a bug stopped the console "
        f"({in_words(error)}).\n{kept[0].upper()}{kept[1:]}\nThe fleet keeps running."
    )


def install() -> None:
    """From now on no uncaught error is printed raw, in any thread."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def unhandled(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
    """An event loop's exception handler: log the error in one line, write the traceback to a
    file."""
    del loop
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in RAN_OUT:  # the loop tries again by itself
        log.warning("the system refused the event loop something: %s", in_words(error))
    elif isinstance(error, BaseException):
        # The loop's message may show a callback's arguments.
        _complain(f"a bug in the background ({in_words(error)})", error)
    else:
        said = str(context.get("message", "a task failed"))
        log.error("%s", safe_line(_redacted(said), MAX_WORDS_CHARS))


class PrivateFormatter(logging.Formatter):
    """Formats records as safe lines without known secrets, from any logger."""

    def format(self, record: logging.LogRecord) -> str:
        """As in logging, then made safe."""
        return "\n".join(safe_text(_redacted(super().format(record))))


def quiet_stderr() -> None:
    """Without a log file, send log records to standard error, made safe."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PrivateFormatter("fleet-tui: %(message)s"))


def _uncaught(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    del where
    if issubclass(kind, KeyboardInterrupt):
        interrupt.uncaught()
    _complain(f"a bug stopped this program ({in_words(error)})", error)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "a thread"
    if name == TERMINAL_WRITER and isinstance(args.exc_value, OSError):
        log.info("the terminal is gone: %s", in_words(args.exc_value))
        return
    _complain(f"a bug stopped {safe_line(name, 100)} ({in_words(args.exc_value)})", args.exc_value)


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    if isinstance(args.exc_value, KeyboardInterrupt):
        interrupt.lost()
    elif args.exc_value is not None:
        _complain(f"an uncaught error ({in_words(args.exc_value)})", args.exc_value)


def _complain(what: str, error: BaseException) -> None:
    log.error("%s; %s", what, keep(error))


def _redacted(text: str) -> str:
    from fleet_tui.base.redact import redact  # noqa: PLC0415 - almost no process ever needs it

    return redact(text)
