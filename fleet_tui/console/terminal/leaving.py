"""Ending on signals, even where the terminal is no longer read.

A terminal that is not read (a stalled connection, a stopped multiplexer) blocks its writers, and
with them every exit. Pending output is then discarded, so that everything ends in its usual order;
finally the terminal's modes are restored without waiting.
"""

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final, Protocol, runtime_checkable

from textual.worker import WorkerFailed

from fleet_tui.base import crash

PATIENCE_S = 0.5
"""How long the terminal may take to read pending output after a signal to end."""

GIVE_BACK: Final = (
    b"\x18\x1b[0m\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    b"\x1b[?1016l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[23;2t"
)
"""Ends a truncated sequence (CAN), then resets every mode that Textual sets."""

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@runtime_checkable
class Terminal(Protocol):
    """The writer to the terminal."""

    @property
    def writer(self) -> int | None:
        """The writing thread; None while there is none."""
        ...


def cause(error: BaseException | None) -> BaseException | None:
    """The cause of an error: Textual reports a worker's failure without its traceback."""
    return error.error if isinstance(error, WorkerFailed) else error


class Exit:
    """Handles the signals that end a program and makes sure that it ends."""

    def __init__(self) -> None:
        self._terminal: Terminal | None = None
        self._is_abandoned = False

    def begin(self, leave: Callable[[int], None], terminal: object) -> None:
        """Exit on signals with 128 and their number, and report bugs of other tasks. From now on
        supervise the exit if this is a terminal."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(crash.unhandled)
        for number in SIGNALS:
            loop.add_signal_handler(number, leave, 128 + number)
        if isinstance(terminal, Terminal):
            self._catch(terminal)

    def _catch(self, terminal: Terminal) -> None:
        """The event loop's own handlers exist already and keep being called."""
        self._terminal = terminal
        signal.signal(signal.SIGALRM, self._abandon)
        for number in SIGNALS:
            # The loop learns of signals by its wakeup descriptor; this runs even while it waits
            # for the terminal.
            signal.signal(number, self._told)

    def over(self) -> None:
        """Everything ended: cancel the alarm; restore an abandoned terminal."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._is_abandoned:
            _give_back(sys.__stdin__.fileno() if sys.__stdin__ is not None else 0)

    def _told(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)

    def _abandon(self, number: int, frame: FrameType | None) -> None:
        """Stop writing to the terminal; blocked writers continue."""
        del number, frame
        if self._is_abandoned:
            return
        self._is_abandoned = True
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream is not None:
                os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        writer = self._terminal.writer if self._terminal is not None else None
        if writer is not None:
            with suppress(ProcessLookupError):
                signal.pthread_kill(writer, signal.SIGALRM)


def _give_back(fileno: int) -> None:
    """Restore the terminal's modes; output that does not fit into its buffer is lost."""
    with suppress(OSError, termios.error):
        termios.tcflush(fileno, termios.TCOFLUSH)
        terminal = os.open(os.ttyname(fileno), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            os.write(terminal, GIVE_BACK)
        finally:
            os.close(terminal)
