"""What every pane promises the screen it stands on."""

from collections.abc import Sequence
from typing import ClassVar

from textual.containers import Vertical
from textual.widget import Widget

from fleet_tui.console.selection import NOTHING, Scope, Selection
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.feed.feed import View


class Pane(Vertical):
    """A titled part of a screen: shows views, answers what is selected, takes a filter.

    The operations have no effect here; a pane names in ``scopes`` those it has.
    """

    scopes: ClassVar[frozenset[Scope]] = frozenset()
    help_text: ClassVar[str] = ""
    """What the pane shows and how to read it: safe text, may have line breaks."""

    filter_text: str = ""
    """The filter as typed; empty when there is none."""
    filter_is_on: bool = True
    problems_only: bool = False

    def show(self, previous: View | None, view: View) -> None:
        """Show a view; ``previous`` is what this pane showed before, None at first."""

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Take log lines that just came."""

    def selection(self) -> Selection:
        """What is marked or under the cursor."""
        return NOTHING

    def focus_target(self) -> Widget | None:
        """The widget that takes the focus for this pane."""
        return next((w for w in self.query("*").results(Widget) if w.can_focus), None)

    def set_filter(self, text: str) -> str:
        """Narrow down to what matches; an empty text drops the filter.

        Returns what is wrong with the text, empty when nothing is.
        """
        self.filter_text = text
        return ""

    def set_filter_on(self, on: bool) -> None:
        """Switch the filter off or on without forgetting it."""
        self.filter_is_on = on

    def set_problems_only(self, only: bool) -> None:
        """Show only what is not well."""
        self.problems_only = only

    def clear_marks(self) -> bool:
        """Unmark everything; False when nothing was marked."""
        return False

    def sort_choices(self) -> Sequence[tuple[str, str]]:
        """(key, title) of the columns that can order the rows."""
        return ()

    def sort_by(self, key: str) -> None:
        """Order the rows by a column, the same again reverses."""

    def toggle_wide(self) -> None:
        """More columns, or wrapped lines."""

    def toggle_follow(self) -> None:
        """Follow the newest lines, or stop."""

    def next_error(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) error."""
