"""A program in a real terminal of a given size: what it paints, what that costs, keys for it.

The headless driver of the tests skips rendering; bytes and CPU can only be seen here.
"""

import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
END_WITHIN_S = 10.0
TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    print(error)
    sys.exit(127)
"""
"""Makes the terminal its own, so that hangups and resizes arrive, and becomes the program. Forking
here instead would be quicker by 10 ms, and is not safe in a process with threads."""

WAITS = frozenset({"wait_woken", "n_tty_write"})
"""Where the kernel keeps a thread whose terminal has no room."""

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x1b\\|\x07)|[ -/]*[0-~])", re.DOTALL
)


class NeverCame(AssertionError):
    """What was waited for was not painted; the message has the end of what was."""


class PtyProgram:
    """``with PtyProgram([...]) as program``: started on entry, ended with its children on exit."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """``env`` is added to this process's environment and TERMINAL."""
        self.arguments = list(arguments)
        self.columns = columns
        self.rows = rows
        self.painted = bytearray()
        """Every byte so far."""
        self.exit_code: int | None = None
        # Workers of a parallel run have these two, which would count more than the terminal.
        around = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self._env = {**around, **TERMINAL, **(env or {})}
        self._terminal = -1
        self.pid = 0

    def __enter__(self) -> Self:
        self._terminal, theirs = pty.openpty()
        self._set_size()
        self.began_s = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", TAKE_TERMINAL, *self.arguments],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=self._env,
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self.pid = self._process.pid
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def read(self, within_s: float) -> bytes:
        """What comes next, or ``b""`` when nothing does within the time or the program ended."""
        if not select.select([self._terminal], [], [], max(within_s, 0))[0]:
            return b""
        try:
            chunk = os.read(self._terminal, 65_536)
        except OSError as ended:
            if ended.errno != errno.EIO:  # Linux says EIO when the other side is gone
                raise
            return b""
        self.painted += chunk
        return chunk

    def watch(self, seconds: float) -> int:
        """Read for a while; how many bytes came."""
        until_s, before = time.perf_counter() + seconds, len(self.painted)
        while (left_s := until_s - time.perf_counter()) > 0:
            if not self.read(left_s) and self.is_over():
                break
        return len(self.painted) - before

    def wait_for(self, *words: str, within_s: float = 30.0) -> float:
        """Read until all these words have been painted; seconds since the start."""
        return self.wait_until(lambda text: all(word in text for word in words), within_s, words)

    def wait_until(
        self, holds: Callable[[str], bool], within_s: float = 30.0, what: object = "it"
    ) -> float:
        """Read until a condition holds of all text painted so far; seconds since the start."""
        until_s = time.perf_counter() + within_s
        while not holds(self.text()):
            left_s = until_s - time.perf_counter()
            if left_s <= 0 or (not self.read(left_s) and self.is_over()):
                raise NeverCame(f"{what} was never painted: {self.text()[-2_000:]}")
        return time.perf_counter() - self.began_s

    def text(self) -> str:
        """All that was painted without escape sequences, in the order it was painted."""
        return _ESCAPES.sub("", self.painted.decode("utf-8", "replace"))

    def fill_terminal(self, keys: str) -> None:
        """Have it paint without reading that, until it waits for the terminal; ``keys`` are typed
        again and again and change what is on screen."""
        process, before = psutil.Process(self.pid), -1
        for _ in range(200):
            written = process.io_counters().write_chars
            if written == before and any(thread in WAITS for thread in _waits(process)):
                return
            before = written
            self.press(keys)
            select.select([], [], [], 0.1)
        raise AssertionError(f"it does not wait for the terminal: {_waits(process)}")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._terminal, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the window's size, as a terminal does when it is dragged."""
        self.columns, self.rows = columns, rows
        self._set_size()

    @property
    def terminal(self) -> int:
        """Our side of the terminal."""
        return self._terminal

    def cpu_s(self) -> float:
        """User and system seconds of the program itself, its children not counted."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def rss_bytes(self) -> int:
        """Resident memory of the program itself."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def is_over(self) -> bool:
        """Whether the program ended; its code is then in ``exit_code``."""
        if self.exit_code is None:
            self.exit_code = self._process.poll()
        return self.exit_code is not None

    def wait_for_end(self, within_s: float = END_WITHIN_S) -> int:
        """Read until the program ends; its exit code. Raises NeverCame if it goes on."""
        until_s = time.perf_counter() + within_s
        while not self.is_over():
            if time.perf_counter() > until_s:
                raise NeverCame(f"{self.arguments} does not end: {self.text()[-2_000:]}")
            self.read(0.05)
        assert self.exit_code is not None
        return self.exit_code

    def end(self) -> None:
        """End it as a hangup would, then by force, and whatever it started."""
        family: list[psutil.Process] = []
        if not self.is_over():
            family = psutil.Process(self.pid).children(recursive=True)
            self._process.terminate()
            try:
                self.wait_for_end()
            except NeverCame:
                self._process.kill()
                self.wait_for_end()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        _, alive = psutil.wait_procs(family, timeout=END_WITHIN_S)
        for process in alive:
            process.kill()
        psutil.wait_procs(alive, timeout=END_WITHIN_S)

    def _set_size(self) -> None:
        size = struct.pack("HHHH", self.rows, self.columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)


def python(*arguments: str) -> list[str]:
    """Arguments that run this interpreter, with nothing kept back in buffers."""
    return [sys.executable, "-u", *arguments]


def _waits(process: psutil.Process) -> list[str]:
    """What each thread waits for in the kernel."""
    tasks = Path(f"/proc/{process.pid}/task")
    return [(task / "wchan").read_text() for task in tasks.iterdir()]
