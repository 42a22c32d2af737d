"""The frame around every view: header, tabs, body, banner, command bar, keys.

A screen is told what to show (``show``, ``show_lines``) and never asks for it. Keys arrive as the
names of actions; the methods here are what those actions call.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from fleet_tui.console.panes.base import Pane
from fleet_tui.console.places import Place
from fleet_tui.console.selection import NOTHING, Context, Scope, Selection
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.feed.feed import View

if TYPE_CHECKING:
    from fleet_tui.console.app import FleetApp


class FleetScreen(Screen[None]):
    """One view of the fleet. Subclasses say what the body is and how a view is shown in it."""

    scopes: ClassVar[frozenset[Scope]] = frozenset()
    """What can be done on this screen whichever pane has the focus."""
    help_text: ClassVar[str] = ""
    """What the screen shows and how to read it."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.shown: View | None = None
        """The view on screen; None before the first."""

    @property
    def console(self) -> "FleetApp":
        """The application, with its own type."""
        return cast("FleetApp", self.app)

    # --- what subclasses fill in ---

    def compose_body(self) -> ComposeResult:
        """The widgets between the tabs and the keys."""
        yield from ()

    def show(self, previous: View | None, view: View) -> None:
        """Show a view. ``previous`` is what was shown before; None at first and after a resume."""
        for pane in self.panes():
            pane.show(previous, view)

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Log lines that came since the last call, oldest first."""
        for pane in self.panes():
            pane.show_lines(lines)

    def crumb(self) -> str:
        """The screen's part of the breadcrumb, safe text; empty for the roots."""
        return self.place.subject or self.place.view

    def selection(self) -> Selection:
        """What actions are about: by default what is selected in the pane in focus."""
        pane = self.pane_in_focus()
        return pane.selection() if pane is not None else NOTHING

    # --- panes ---

    def panes(self) -> Sequence[Pane]:
        """The panes of the body, in the order of the focus."""
        return list(self.query(Pane).results(Pane))

    def pane_in_focus(self) -> Pane | None:
        """The pane that has the focus, else the first one."""
        node = self.focused
        while node is not None and node is not self:
            if isinstance(node, Pane):
                return node
            node = node.parent  # type: ignore[assignment]  # a widget's parent is one below the screen
        panes = self.panes()
        return panes[0] if panes else None

    def context(self) -> Context:
        """Everything that decides which actions are possible now."""
        pane = self.pane_in_focus()
        own = pane.scopes if pane is not None else frozenset[Scope]()
        return Context(
            view=self.shown or self.console.view,
            can_act=self.console.can_act,
            scopes=self.scopes | own | self.console.scopes,
            selection=self.selection(),
        )

    # --- what actions call ---

    def back(self) -> None:
        """Drop the filter, else the marks, else leave a drill-down."""

    def step_focus(self, step: int) -> None:
        """Focus the next (1) or previous (-1) pane."""

    def open_filter(self) -> None:
        """Type a filter for the pane in focus."""

    def toggle_filter(self) -> None:
        """Switch the filter off, or on again."""

    def toggle_problems(self) -> None:
        """Only what is not well, or everything."""

    def choose_sort(self) -> None:
        """Choose a column to sort by."""

    def toggle_zoom(self) -> None:
        """The pane in focus alone, or all panes."""

    def toggle_wide(self) -> None:
        """More columns, or wrapped lines."""

    def toggle_follow(self) -> None:
        """Follow the newest lines, or stop."""

    def next_error(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) error."""

    def copy(self, chosen: Selection) -> None:
        """Copy the selected row."""

    def open_command_line(self, text: str = "") -> None:
        """Type a command."""

    def open_menu(self) -> None:
        """Everything that acts, with its key and why it is unavailable."""

    def open_help(self) -> None:
        """The keys and how to read the pane in focus."""

    def compose(self) -> ComposeResult:
        """Header, tabs, body, keys."""
        with Vertical(id="body"):
            yield from self.compose_body()
