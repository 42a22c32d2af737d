"""The application's interface for the frame around the views: :class:`Console`, and what only the
frame, the command line and the palette use."""

from typing import Protocol

from textual.screen import Screen

from fleet_tui.console.actions.action import Action
from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.host import Console
from fleet_tui.console.shell.history import History
from fleet_tui.console.shell.keymap import Keymap
from fleet_tui.console.shell.messages import CommandProblem
from fleet_tui.console.shell.themes import LoadedTheme
from fleet_tui.console.terminal.attention import Attention


class ConsoleShell(Console, Protocol):
    """The application with its keys, its history and its own settings."""

    keys: Keymap
    history: History
    attention: Attention
    loaded_themes: LoadedTheme
    is_paused: bool

    @property
    def scopes(self) -> frozenset[Scope]:
        """Scopes that apply everywhere."""
        ...

    def perform(self, action: Action, chosen: Selection | None = None) -> None:
        """Perform an action on the selection, or on ``chosen``."""

    def complete(self, text: str) -> str | None:
        """The most likely completion of the beginning of a command."""
        ...

    def run_command(self, text: str) -> CommandProblem | None:
        """Run a ``:`` command; returns the problem if it was not understood."""
        ...

    def arrived(self, screen: Screen[None]) -> None:
        """A screen became visible: show what it missed."""

    def crumbs(self, screen: Screen[None]) -> list[str]:
        """The way from the root to a screen, in words."""
        ...

    def set_banner(self, text: str) -> None:
        """Set the line above the keys; empty removes it."""

    def set_refresh(self, ms: int) -> None:
        """Set the refresh interval."""

    def switch_theme(self, name: str) -> str:
        """Switch the theme; returns what is wrong with the name, empty if nothing."""
        ...

    def ask_to_leave(self) -> None:
        """Ask whether to quit."""
