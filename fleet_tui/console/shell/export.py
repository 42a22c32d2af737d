"""Export from the console: the clipboard by every available method, and pictures."""

import os
import shutil
import subprocess

from textual.app import App

from fleet_tui.base import children
from fleet_tui.base.crash import stamp
from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import state_root, write_private
from fleet_tui.console.terminal.seatbelt import SeatbeltDriver, clipboard_sequence

TMUX_PATIENCE_S = 2.0


def copy(app: App[int], text: str) -> str:
    """Copy a text; returns which methods succeeded, in words."""
    took: list[str] = []
    sequence = clipboard_sequence(text)
    driver = app._driver  # Textual has no public name for it
    if sequence is not None and isinstance(driver, SeatbeltDriver):
        driver.write_own(sequence)
        took.append("the terminal (OSC 52)")
    if os.environ.get("TMUX") and _tmux(text):
        took.append("the tmux buffer")
    path = state_root() / "clipboard.txt"
    try:
        write_private(path, text + "\n")
        took.append(str(path))
    except OSError as error:
        took.append(f"no file ({error.strerror})")
    except FleetError as error:
        took.append(f"no file ({error.message})")
    return f"copied to {', '.join(took)}"


def _tmux(text: str) -> bool:
    """Whether tmux took the text into its buffer and its terminal's clipboard."""
    program = shutil.which("tmux")
    if program is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, the text goes by standard input
            [program, "load-buffer", "-w", "-"],
            input=text.encode("utf-8", "backslashreplace"),
            timeout=TMUX_PATIENCE_S,
            capture_output=True,
            check=False,
            env=children.environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def screen_lines(app: App[int]) -> list[str]:
    """What is on screen as plain lines."""
    # Textual's compositor has the finished lines; there is no other access to them.
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def save_view(app: App[int]) -> str:
    """Save the screen as text and SVG; returns where."""
    base = state_root() / "saved" / f"screen-{stamp()}"
    try:
        write_private(base.with_suffix(".txt"), "\n".join(screen_lines(app)) + "\n")
        write_private(base.with_suffix(".svg"), app.export_screenshot(title="fleet-tui"))
    except OSError as error:
        return f"could not save {base}: {error.strerror}"
    except FleetError as error:
        return f"could not save {base}: {error.message}"
    return f"saved {base}.txt and .svg"
