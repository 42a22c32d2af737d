"""A pane that is one table of things: filtered, sorted, with marks, and never moving by itself.

A subclass says what the things are (:meth:`items`), how one is written (:meth:`row`) and what it
answers a filter (:meth:`value`). Rows are made anew only when their thing or the second changed.
"""

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from fleet_tui.console.cells import Cell, Tone
from fleet_tui.console.detail_rows import Pen
from fleet_tui.console.panes.base import Pane
from fleet_tui.console.selection import Scope
from fleet_tui.console.widgets.fleet_table import Column, FleetTable, Row
from fleet_tui.console.widgets.lines import OneLine
from fleet_tui.core import words
from fleet_tui.core.filters import Filter, FilterProblem, Value, parse
from fleet_tui.core.firewall import safe_line
from fleet_tui.feed.feed import View

MAX_ROWS = 2_000
"""Rows handed to the table; the tail line says how many more there are."""

_T = TypeVar("_T")


class ListPane(Pane, Generic[_T]):
    """A titled table of things of one kind."""

    scopes = frozenset({Scope.ROWS, Scope.FILTER})

    DEFAULT_CSS = """
    ListPane { height: 1fr; }
    ListPane > OneLine { height: 1; }
    """

    noun: ClassVar[str] = "row"
    columns: ClassVar[Sequence[Column]] = ()
    filter_keys: ClassVar[frozenset[str]] = frozenset()
    empty: ClassVar[str] = ""
    """What would be shown here and the next key."""
    first_sort: ClassVar[tuple[str, bool] | None] = None
    """(column, descending) at first; None keeps the order of :meth:`items`."""

    def __init__(self, *, query: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._filter: Filter | None = None
        self._sort = self.first_sort
        self._view: View | None = None
        self._shown: list[_T] = []
        self._rows: dict[str, tuple[_T, int, Row]] = {}
        self._total = 0
        self.filter_text = query

    # --- what subclasses say ---

    def items(self, view: View) -> Sequence[_T]:
        """The things, in their natural order."""
        raise AssertionError(f"{type(self).__name__} has no items")

    def id_of(self, item: _T) -> str:
        """The identity of a thing over time."""
        raise AssertionError(f"{type(self).__name__} has no ids")

    def row(self, item: _T, view: View, pen: Pen) -> Row:
        """A thing as cells, in the order of the columns."""
        raise AssertionError(f"{type(self).__name__} has no rows")

    def value(self, item: _T, key: str, view: View) -> Value:
        """What a thing answers a filter or, for the key of a column, the sorting."""
        del item, key, view
        return None

    def is_problem(self, item: _T) -> bool:
        """Whether ``!`` keeps it."""
        del item
        return False

    def is_settled(self, item: _T) -> bool:
        """Whether its row does not change as time passes."""
        del item
        return False

    def title(self, view: View) -> str:
        """What the pane shows, without the counts of the filter."""
        del view
        return f"{self.noun.capitalize()}s"

    # --- the pane's promises ---

    def compose(self) -> ComposeResult:
        """A title over the table."""
        yield OneLine(classes="pane-title")
        glyphs = self._pen.glyphs
        yield FleetTable(
            self.columns,
            empty=f" {self.empty}",
            sort_glyphs=(glyphs.sort_descending, glyphs.sort_ascending),
        )

    def on_mount(self) -> None:
        """Show the first order in the header."""
        if self._sort is not None:
            self.table.set_sort(*self._sort)

    @property
    def table(self) -> FleetTable:
        """The table itself."""
        return self.query_one(FleetTable)

    @property
    def shown_items(self) -> Sequence[_T]:
        """The things on screen, in their order."""
        return self._shown

    @property
    def selected_items(self) -> list[_T]:
        """The marked things, else the one under the cursor."""
        wanted = set(self.table.selected_ids)
        return [item for item in self._shown if self.id_of(item) in wanted]

    def focus_target(self) -> Widget | None:
        """The table."""
        return self.table

    def show(self, previous: View | None, view: View) -> None:
        """Show a view; nothing is done while neither the state nor the second changed."""
        same = previous is not None and previous.state is view.state
        if same and previous is not None and previous.now_ms // 1_000 == view.now_ms // 1_000:
            self._view = view
            return
        if self._view is None and self.filter_text:
            self._view = view
            self.set_filter(self.filter_text)
            return
        self._view = view
        self._refill()

    def set_filter(self, text: str) -> str:
        """Narrow down; the problem in words when the text is not understood."""
        if self._view is None:
            self.filter_text = text
            return ""
        found = parse(
            text,
            now_ms=self._view.now_ms,
            keys=self.filter_keys,
            offset_minutes=self._pen.offset_minutes,
        )
        if isinstance(found, FilterProblem):
            return f"{found.message} {found.hint}".strip()
        self.filter_text = text
        self._filter = found if text.strip() else None
        self._refill()
        return ""

    def set_filter_on(self, on: bool) -> None:
        """Switch the filter off or on without forgetting it."""
        super().set_filter_on(on)
        self._refill()

    def set_problems_only(self, only: bool) -> None:
        """Only what is not well."""
        super().set_problems_only(only)
        self._refill()

    def clear_marks(self) -> bool:
        """Unmark everything."""
        return self.table.clear_marks()

    def sort_choices(self) -> Sequence[tuple[str, str]]:
        """Every column with a title."""
        return [(column.key, column.title) for column in self.columns if column.title]

    def sort_by(self, key: str) -> None:
        """Order by a column; the same again reverses."""
        self.table.sort_by(key)

    @on(FleetTable.SortChanged)
    def _on_sort_changed(self, event: FleetTable.SortChanged) -> None:
        event.stop()
        self._sort = (event.key, event.descending)
        self._refill()

    # --- filling the table ---

    @property
    def _pen(self) -> Pen:
        from fleet_tui.console.app import FleetApp  # noqa: PLC0415 - the application imports screens

        app = self.app
        assert isinstance(app, FleetApp)
        return Pen(app.glyphs, app.utc_offset_minutes)

    def _refill(self) -> None:
        view = self._view
        if view is None or not self.is_mounted:
            return
        items = list(self.items(view))
        self._total = len(items)
        wanted = self._filter if self.filter_is_on else None
        pen = self._pen
        kept = [
            item
            for item in items
            if (not self.problems_only or self.is_problem(item))
            and (wanted is None or self._matches(wanted, item, view, pen))
        ]
        self._shown = self._sorted(kept, view)[:MAX_ROWS]
        rows = [self._cached_row(item, view, pen) for item in self._shown]
        if len(self._rows) > 2 * MAX_ROWS:
            self._rows.clear()
        self.table.set_empty(self._nothing())
        self.table.show(rows, tail=self._tail(len(kept)))
        title = f"{self.title(view)}{self._scope_words(len(kept))}"
        self.query_one(".pane-title", OneLine).show((Cell(f" {title}", Tone.TITLE),))

    def _matches(self, wanted: Filter, item: _T, view: View, pen: Pen) -> bool:
        text = " ".join(cell.text for cell in self._cached_row(item, view, pen).cells)
        return wanted.matches(lambda key: self.value(item, key, view), text)

    def _cached_row(self, item: _T, view: View, pen: Pen) -> Row:
        row_id = self.id_of(item)
        second = 0 if self.is_settled(item) else view.now_ms // 1_000
        cached = self._rows.get(row_id)
        if cached is not None and cached[0] is item and cached[1] == second:
            return cached[2]
        row = self.row(item, view, pen)
        self._rows[row_id] = (item, second, row)
        return row

    def _sorted(self, items: list[_T], view: View) -> list[_T]:
        if self._sort is None:
            return items
        key, descending = self._sort
        return sorted(items, key=lambda i: _rank(self.value(i, key, view)), reverse=descending)

    def _scope_words(self, kept: int) -> str:
        """`` - 12 of 180 match pool:gpu``."""
        parts: list[str] = []
        if self.problems_only:
            parts.append("problems only")
        if self._filter is not None:
            shown = safe_line(self.filter_text, 40)
            off = "" if self.filter_is_on else " (off)"
            parts.append(f"{shown}{off}")
        hidden = self._total - kept
        if hidden:
            parts.append(f"{words.grouped(hidden)} hidden")
        return f" - {' - '.join(parts)}" if parts else ""

    def _nothing(self) -> str:
        if self._total and (self._filter is not None or self.problems_only):
            what = safe_line(self.filter_text, 40) if self._filter is not None else "problems only"
            return f" 0 of {words.grouped(self._total)} match {what}. esc clears"
        return f" {self.empty}"

    def _tail(self, kept: int) -> tuple[Cell, ...]:
        if kept <= MAX_ROWS:
            return ()
        more = words.grouped(kept - MAX_ROWS)
        return (Cell(f" {more} more; / narrows down", Tone.DIM),)


def _rank(value: Value) -> tuple[int, float, str]:
    """An order over whatever things answer: numbers, then words, then nothing."""
    match value:
        case None:
            return (2, 0.0, "")
        case bool() | int() | float():
            return (0, float(value), "")
        case str():
            return (1, 0.0, value)
        case _:
            return (1, 0.0, " ".join(sorted(value)))
