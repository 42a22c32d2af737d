"""What remains of a bug, in every process of the program: a traceback in a private file, and one
line that says where. Never a traceback on a terminal, and never the values of local variables: they
hold tokens and other people's text.

:func:`install` is for what nobody caught, in any thread; :func:`unhandled` for tasks of an event
loop; :class:`PrivateFormatter` for what is logged.
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
"""A bug that strikes again and again does not fill the disk."""

TERMINAL_WRITER = "textual-output"
"""Textual's thread that writes to the terminal. When that is closed it fails, which is no bug."""

MAX_FRAMES = 50
RAN_OUT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
"""Running out of something is no bug."""
MAX_WORDS_CHARS = 500

log = logging.getLogger("fleet_tui")

_kept: list[Path] = []
"""What this process has written."""


def stamp() -> str:
    """The wall clock as part of a file's name."""
    return f"{datetime.now(tz=UTC):%Y%m%d-%H%M%S}"


def in_words(error: BaseException) -> str:
    """The kind of an error and what it says, as one safe line without known secrets."""
    return safe_line(_redacted(f"{type(error).__name__}: {error}"), MAX_WORDS_CHARS)


def trace(error: BaseException) -> str:
    """The traceback as safe lines: places in our code, no values of variables, no secrets."""
    lines = traceback.format_exception(error, limit=MAX_FRAMES)
    return "\n".join(safe_text(_redacted("".join(lines))))


def keep(error: BaseException, directory: Path | None = None) -> str:
    """Keep the traceback of an error in a file of its own; a sentence that says where it is."""
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
    """Keep the traceback of what ended the console; the lines to leave on the terminal."""
    if error is None:
        return "fleet-tui stopped."
    kept = keep(error, directory)
    return (
        "fleet-tui: a bug stopped the console "
        f"({in_words(error)}).\n{kept[0].upper()}{kept[1:]}\nThe fleet keeps running."
    )


def install() -> None:
    """From now on nothing that nobody caught is printed as it is, in any thread."""
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def unhandled(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
    """An event loop's exception handler: log what happened in a line, keep the traceback."""
    del loop
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in RAN_OUT:  # the loop tries again by itself
        log.warning("the system refused the event loop something: %s", in_words(error))
    elif isinstance(error, BaseException):
        # The message that comes with one may show a callback's arguments.
        _complain(f"a bug in the background ({in_words(error)})", error)
    else:
        said = str(context.get("message", "a task failed"))
        log.error("%s", safe_line(_redacted(said), MAX_WORDS_CHARS))


class PrivateFormatter(logging.Formatter):
    """Formats records as safe lines without known secrets, whoever logs."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging does, then made safe."""
        return "\n".join(safe_text(_redacted(super().format(record))))


def quiet_stderr() -> None:
    """What is logged where no log file is set up goes to standard error, made safe."""
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
