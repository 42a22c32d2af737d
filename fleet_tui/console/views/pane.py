"""The common interface of panes: a frame with a title, and a few operations."""

from collections.abc import Sequence
from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from fleet_tui.console.actions.selection import NOTHING, Scope, Selection
from fleet_tui.console.host import Console
from fleet_tui.console.shell.messages import PaneFocused
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.fit import fit, line_width
from fleet_tui.console.widgets.lines import OneLine
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.feed.feed import View


class Edge(OneLine):
    """The upper or lower line of a pane's frame. A new title repaints this line alone."""

    def __init__(self, corners: str, ascii_corners: str, *, classes: str) -> None:
        super().__init__(classes=f"edge {classes}")
        self._corners, self._ascii_corners = corners, ascii_corners

    def line(self, width: int) -> Line:
        """``╭─ title ────╮``; without a box around it ``─title────``."""
        pane = self.parent
        assert isinstance(pane, Pane)
        rule = pane.console.glyphs.rule
        corners = self._ascii_corners if pane.console.glyphs.is_ascii else self._corners
        boxed = pane.is_boxed
        frame = Tone.ACCENT if pane.has_pseudo_class("focus-within") else Tone.DIM
        space = " " if boxed else ""
        left = corners[0] + rule if boxed else rule
        right = corners[1] if boxed else ""
        title = self._cells
        if not title:
            return (Cell(left + rule * (width - len(left) - len(right)) + right, frame),)
        room = width - len(left) - len(right) - 2 * len(space) - 1
        if line_width(title) > room:
            title = (Cell(fit("".join(cell.text for cell in title), max(1, room)), Tone.TITLE),)
        used = len(left) + len(right) + 2 * len(space) + line_width(title)
        return (
            Cell(left + space, frame),
            *title,
            Cell(space + rule * max(0, width - used) + right, frame),
        )


class Pane(Vertical):
    """A titled part of a screen: shows views, has a selection, takes a filter.

    The operations have no effect here; a pane names in ``scopes`` those it has.
    """

    scopes: ClassVar[frozenset[Scope]] = frozenset()
    help_text: ClassVar[str] = ""
    """What the pane shows and how to read it: safe text, may have line breaks, refers to keys as
    ``{filter}``."""

    filter_text: str = ""
    """The filter as typed; empty when there is none."""
    filter_is_on: bool = True
    problems_only: bool = False

    @property
    def console(self) -> Console:
        """The application, with its own type."""
        return cast(Console, self.app)

    @property
    def is_boxed(self) -> bool:
        """Whether there is space for a frame on all four sides."""
        return not self.screen.has_class("-narrow")

    def compose_pane(self) -> ComposeResult:
        """The widgets inside the frame."""
        yield from ()

    def compose(self) -> ComposeResult:
        """The frame around the widgets."""
        yield Edge("╭╮", "++", classes="upper")
        # The sides belong to a box of their own, so that a line repaints without them.
        with Vertical(classes="inside"):
            yield from self.compose_pane()
        yield Edge("╰╯", "++", classes="lower")

    def set_title(self, *cells: Cell) -> None:
        """Set the title in the frame; only that line is repainted."""
        for edge in self.query(".upper").results(Edge):
            edge.show(cells)

    def on_descendant_focus(self) -> None:
        """The frame shows the focus."""
        self._refresh_frame()

    def on_descendant_blur(self) -> None:
        """The frame shows the focus."""
        self._refresh_frame()

    def _refresh_frame(self) -> None:
        for edge in self.query(Edge):
            edge.refresh()
        self.screen.post_message(PaneFocused())

    # --- what screens call ---

    def show(self, previous: View | None, view: View) -> None:
        """Show a view; ``previous`` is what this pane showed before, None at first."""

    def show_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Add new log lines."""

    def forget_lines(self) -> None:
        """The log lines shown are of another time or another fleet."""

    def selection(self) -> Selection:
        """What is marked or under the cursor."""
        return NOTHING

    def focus_target(self) -> Widget | None:
        """The widget that takes the focus for this pane."""
        return next((w for w in self.query("*").results(Widget) if w.can_focus), None)

    def set_filter(self, text: str) -> tuple[int, str, str] | None:
        """Show only matches; an empty text drops the filter.

        Returns (column, problem, hint) where the text is not understood, and keeps the previous
        filter.
        """
        self.filter_text = text
        return None

    def set_filter_on(self, on: bool) -> None:
        """Switch the filter off or on without forgetting it."""
        self.filter_is_on = on

    def set_problems_only(self, only: bool) -> None:
        """Show only rows with problems."""
        self.problems_only = only

    def toggle_highlight(self) -> None:
        """Hide non-matching lines, or show everything and highlight matches."""

    def clear_marks(self) -> bool:
        """Unmark everything; False when nothing was marked."""
        return False

    def sort_choices(self) -> Sequence[tuple[str, str]]:
        """(key, title) of the columns that can order the rows."""
        return ()

    def sort_by(self, key: str) -> None:
        """Order the rows by a column; the same column again reverses."""

    def toggle_wide(self) -> None:
        """More columns, or wrapped lines."""

    def toggle_follow(self) -> None:
        """Follow the newest lines, or stop."""

    def toggle_histogram(self) -> None:
        """Show or hide the histogram of log lines."""

    def next_error(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) error."""
