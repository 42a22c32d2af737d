"""Text with tones: the parts of rows before they are painted or printed.

A :class:`Cell` is already safe text (see :mod:`fleet_tui.core.text.firewall`) with a tone, never a
colour. Nothing here needs Textual, so that plain tables of the command line share it.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

MAX_NAME_CHARS = 64
"""Names are cut after this many characters."""


class Tone(StrEnum):
    """The meaning of a piece of text."""

    PLAIN = "plain"
    OK = "ok"
    WARN = "warn"
    ERROR = "error"
    BUSY = "busy"
    """Something is in progress: draining, starting."""
    DIM = "dim"
    """Of less interest, or stale."""
    ACCENT = "accent"
    """The focus of a line, such as a typed name."""
    KEY = "key"
    """A key that can be pressed."""
    TITLE = "title"
    MATCH = "match"
    """Text a filter or search found."""
    MARK = "mark"
    """A marked row."""
    CURSOR = "cursor"
    CURSOR_BLURRED = "cursor-blurred"
    BADGE = "badge"
    """The fleet's name."""
    DANGER = "danger"
    """The name of a protected fleet; losses."""


class Cell(NamedTuple):
    """A piece of one line: safe text and its meaning."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Cell, ...]
"""The pieces of one line from left to right."""


def line_text(cells: Collection[Cell]) -> str:
    """The pieces as one plain text, for the clipboard and plain output."""
    return " ".join(cell.text.strip() for cell in cells if cell.text.strip())


class Align(StrEnum):
    """Which side of its column a text keeps to."""

    LEFT = "left"
    RIGHT = "right"
