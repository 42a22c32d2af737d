"""The application as the frame around the views sees it: :class:`Console`, and what only the frame,
the command line and the palette may ask of it."""

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
        """What can be done anywhere."""
        ...

    def perform(self, action: Action, chosen: Selection | None = None) -> None:
        """Do an action to what is selected, or to ``chosen``."""

    def complete(self, text: str) -> str | None:
        """What a beginning of a command most likely goes on to be."""
        ...

    def run_command(self, text: str) -> CommandProblem | None:
        """Do a ``:`` command; what is wrong with it if it was not understood."""
        ...

    def arrived(self, screen: Screen[None]) -> None:
        """A screen came into view: show what it missed."""

    def crumbs(self, screen: Screen[None]) -> list[str]:
        """The way from the root to a screen, in words."""
        ...

    def set_banner(self, text: str) -> None:
        """The line above the keys; empty takes it away."""

    def set_refresh(self, ms: int) -> None:
        """How often views that come by themselves are shown."""

    def switch_theme(self, name: str) -> str:
        """Put on another theme; what is wrong with the name, empty if nothing."""
        ...

    def ask_to_leave(self) -> None:
        """Ask whether to quit."""
