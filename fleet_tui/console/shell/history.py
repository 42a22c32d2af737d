"""The input after ``:`` and ``/``, for the arrow keys: one history for the whole console, kept in a
file between runs.

The two are recalled separately. Submitted work is never written to the file, and everything written
is redacted by the caller's function.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import write_private
from fleet_tui.core.text.firewall import safe_line

MAX_LINES = 500
"""In the file, and of each kind in memory."""

MAX_LINE_CHARS = 1_000

MAX_FILE_BYTES = 4 * MAX_LINES * (MAX_LINE_CHARS + 2)
"""Four bytes per character; a larger file is not ours."""

PROMPTS = (":", "/")


def _same(text: str) -> str:
    return text


class History:
    """Lines by their prompt, oldest first."""

    def __init__(self, path: Path | None = None, redact: Callable[[str], str] = _same) -> None:
        """Without a ``path`` nothing is kept after the console ends."""
        self._path = path
        self._redact = redact
        self._lines: dict[str, list[str]] = {prompt: [] for prompt in PROMPTS}
        self._kept: list[str] = []
        """The file's lines, each with its prompt."""
        self.problem = ""
        """Why the file is not kept, safe text; shown once."""
        if path is not None:
            self._read(path)

    def of(self, prompt: str) -> Sequence[str]:
        """The input after a prompt, oldest first."""
        return tuple(self._lines.get(prompt, ()))

    def add(self, prompt: str, text: str, *, private: bool = False) -> None:
        """Remember a line; a ``private`` one is not written to the file."""
        line = safe_line(text, MAX_LINE_CHARS).strip()
        lines = self._lines.get(prompt)
        if lines is None or not line or (lines and lines[-1] == line):
            return
        lines.append(line)
        del lines[:-MAX_LINES]
        if not private and self._path is not None and not self.problem:
            self._write(self._path, prompt + safe_line(self._redact(line), MAX_LINE_CHARS))

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                text = file.read(MAX_FILE_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            self.problem = f"the history of commands cannot be read: {error.strerror}"
            return
        for line in text.splitlines()[-MAX_LINES:]:
            prompt, typed = line[:1], safe_line(line[1:], MAX_LINE_CHARS)
            if prompt in PROMPTS and typed:
                self._kept.append(prompt + typed)
                self._lines[prompt].append(typed)

    def _write(self, path: Path, line: str) -> None:
        self._kept = [*self._kept, line][-MAX_LINES:]
        try:
            write_private(path, "\n".join(self._kept) + "\n")
        except OSError as error:
            self.problem = f"the history of commands is not kept: {error.strerror}"
        except FleetError as error:
            self.problem = f"the history of commands is not kept: {safe_line(error.message)}"
