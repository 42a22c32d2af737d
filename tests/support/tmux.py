"""A real tmux with one shell in it, and a terminal around it: what it was made to do, and what not.

tmux keeps what a terminal can be steered into, and tells: titles, paste buffers, modes. It also
answers queries as if typed, and passes on to the terminal around it what it takes.
"""

import os
import re
import shlex
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.support.pty_harness import END_WITHIN_S, PtyProgram

COLUMNS, ROWS = 120, 130
"""So high that a log shows every payload at once."""

PROMPT = "READY:"
SESSION = "operators"

_CONFIG = """
set -g status off
set -s escape-time 0
set -g default-terminal screen-256color
set -g default-shell /bin/sh
set -g automatic-rename off
set -g allow-rename on
set -gq allow-passthrough on
set -g set-titles on
set -g set-titles-string "#T"
set -s set-clipboard {clipboard}
"""
"""As trusting as tmux can be: whatever a program may ask for, it gets."""

_STATE = (
    *("alternate_on", "cursor_flag", "insert_flag", "keypad_cursor_flag", "keypad_flag"),
    *("mouse_any_flag", "mouse_all_flag", "mouse_button_flag", "mouse_standard_flag"),
    *("mouse_sgr_flag", "mouse_utf8_flag", "origin_flag", "wrap_flag"),
    *("scroll_region_upper", "scroll_region_lower", "pane_tabs", "pane_in_mode"),
)
_NAMES = ("pane_title", "pane_path", "window_name", "session_name", "session_windows")

_STRING = re.compile(rb"\x1b[\]PX^_k](.*?)(?:\x07|\x1b\\)", re.DOTALL)
"""OSC, DCS, SOS, PM, APC and a window's name."""


class Tmux:
    """``with Tmux(directory, "on") as tmux``: a server of its own, a shell at its prompt."""

    def __init__(
        self, directory: Path, clipboard: str, *, env: Mapping[str, str] | None = None
    ) -> None:
        """``clipboard`` is tmux's ``set-clipboard``; ``env`` is for what runs in it. The path of
        the directory must be short."""
        self.clipboard = clipboard
        self._socket = directory / "tmux"
        config = directory / "tmux.conf"
        config.write_text(_CONFIG.format(clipboard=clipboard))
        self._tmux = ["tmux", "-u", "-S", str(self._socket), "-f", str(config)]
        self.terminal = PtyProgram(
            [
                *self._tmux,
                *("new-session", "-s", SESSION, "-n", "shell", "-x", str(COLUMNS), "-y", str(ROWS)),
                f"PS1={shlex.quote(PROMPT)} exec /bin/sh",
            ],
            columns=COLUMNS,
            rows=ROWS,
            env=env,
        )
        """The terminal around it: what is typed there goes to what runs in tmux."""
        self._server = 0

    def __enter__(self) -> Self:
        self.terminal.__enter__()
        try:
            self.terminal.wait_for(PROMPT)
            self._server = int(self.ask("display-message", "-p", "#{pid}"))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        server = [psutil.Process(self._server)] if self._server else []
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)
        self.terminal.end()
        gone, alive = psutil.wait_procs(server, timeout=END_WITHIN_S)
        del gone
        assert not alive, "the tmux server does not end"

    def ask(self, *arguments: str) -> str:
        """What a tmux command prints."""
        done = subprocess.run(
            [*self._tmux, *arguments], check=True, capture_output=True, timeout=END_WITHIN_S
        )
        return done.stdout.decode("utf-8").removesuffix("\n")

    # --- the shell and what runs in it ---

    def screen(self) -> str:
        """What stands in the window, long lines in one piece."""
        return "\n".join(line.rstrip() for line in self._captured().splitlines())

    def wait_for(self, *words: str) -> str:
        """Wait until the window shows all these words; the screen then."""
        shown = ""

        def look(_painted: str) -> bool:
            # The terminal shows only what the window already does, so a look at the window after
            # each piece that is painted misses nothing.
            nonlocal shown
            shown = self.screen()
            return all(word in shown for word in words)

        self.terminal.wait_until(look, what=words)
        return shown

    def run(self, arguments: Sequence[str]) -> None:
        """Type a command to the shell."""
        self.press(shlex.join(arguments) + "\r")

    def press(self, keys: str) -> None:
        """Type, at the terminal."""
        self.terminal.press(keys)

    def answer(self, reply: str) -> None:
        """Have what runs in the window read a terminal's answer."""
        codes = [f"{byte:02x}" for byte in reply.encode()]
        self.ask("send-keys", "-t", SESSION, "-H", *codes)

    def _captured(self) -> str:
        return self.ask("capture-pane", "-p", "-J", "-t", SESSION)

    # --- what it can be steered into ---

    def names(self) -> Mapping[str, str]:
        """Titles and names of the window, its directory, and the paste buffers."""
        found = {name: self._format(name) for name in _NAMES}
        return {**found, "buffers": self.buffers()}

    def buffers(self) -> str:
        """What could be pasted, one line each, without when it came."""
        return self.ask("list-buffers", "-F", "#{buffer_size} #{buffer_sample}")

    def modes(self) -> Mapping[str, str]:
        """The window's modes, and its terminal's."""
        found = {name: self._format(name) for name in _STATE}
        terminal = os.open(self._format("pane_tty"), os.O_RDONLY | os.O_NOCTTY)
        try:
            found["termios"] = repr(termios.tcgetattr(terminal))
        finally:
            os.close(terminal)
        return found

    def options(self) -> Mapping[str, str]:
        """All of its settings."""
        return {kind: self.ask("show-options", kind) for kind in ("-s", "-g", "-gw", "-w", "-p")}

    def strings(self) -> frozenset[bytes]:
        """What was passed on to the terminal around it: clipboard, titles and the like."""
        return frozenset(_STRING.findall(bytes(self.terminal.painted)))

    def _format(self, name: str) -> str:
        return self.ask("display-message", "-p", "-t", SESSION, f"#{{{name}}}")
