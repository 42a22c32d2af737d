"""What remains of a bug: a traceback in a private file, and one line that says where.

Local values are never written: they hold tokens and other people's text.
"""

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from fleet_tui.core.firewall import safe_line, safe_text

PRIVATE = 0o600


def state_dir() -> Path:
    """Where the console keeps its own files (``$XDG_STATE_HOME/fleet-tui``)."""
    from platformdirs import user_state_path  # noqa: PLC0415 - not needed for the first paint

    return user_state_path("fleet-tui", appauthor=False)


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


def stamp() -> str:
    """The wall clock as part of a file's name."""
    return f"{datetime.now(tz=UTC):%Y%m%d-%H%M%S}"


def report(error: BaseException | None, directory: Path | None = None) -> Text:
    """Keep the traceback of an error; the lines to leave on the terminal."""
    if error is None:
        return Text("fleet-tui stopped.")
    lines = traceback.format_exception(error, limit=50)
    text = "\n".join(safe_text("".join(lines)))
    path = (directory or state_dir()) / f"crash-{stamp()}.txt"
    kept = f"The traceback is in {path}"
    try:
        write_private(path, text + "\n")
    except OSError as failed:
        kept = f"The traceback could not be kept: {failed.strerror}\n{text}"
    what = safe_line(f"{type(error).__name__}: {error}", 500)
    return Text(f"fleet-tui: a bug stopped the console ({what}).\n{kept}\nThe fleet goes on.")
