"""Small values that the parts of the console exchange."""

from enum import StrEnum
from typing import NamedTuple, assert_never

import msgspec
from textual.message import Message

from fleet_tui.console.shell.places import Place
from fleet_tui.core.logs import Level

MAX_NOTICES = 500
"""Toasts vanish; this many are kept for ``:messages``."""


class Loudness(StrEnum):
    """How a notice is shown; the words are Textual's own."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"

    @property
    def level(self) -> Level:
        """As the level of a line."""
        match self:
            case Loudness.INFORMATION:
                return Level.INFO
            case Loudness.WARNING:
                return Level.WARN
            case Loudness.ERROR:
                return Level.ERROR
            case _:
                assert_never(self)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message shown to the operator."""

    at_ms: int
    """By the clock of the view."""
    text: str
    """Safe text."""
    loudness: Loudness = Loudness.INFORMATION
    opens: Place | None = None
    """The place that Enter opens in the list of messages."""


class CommandProblem(NamedTuple):
    """The fault of a command, and its column (from 0)."""

    column: int
    message: str
    hint: str = ""


class PaneFocused(Message, bubble=False):
    """Another pane has the focus, so other keys are offered."""

    def can_replace(self, message: Message) -> bool:
        """One is enough."""
        return isinstance(message, PaneFocused)
