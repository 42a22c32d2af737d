"""A pane around a live table: filter, problems only, sorting and marks, once for all tables."""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar, assert_never

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.selection import Scope
from fleet_tui.console.terminal.slices import Key, Slices, in_order
from fleet_tui.console.text.cells import Cell, Tone, line_text
from fleet_tui.console.views.pane import Pane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable, Row
from fleet_tui.core.text import words
from fleet_tui.core.text.filters import nodes
from fleet_tui.core.text.filters.filter import Filter, parse
from fleet_tui.core.text.filters.nodes import FilterProblem, Value
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import Link, View

R = TypeVar("R")

STARTING_TEXT = "Waiting for the engine."
"""Shown while there may be rows, but none yet."""

ALWAYS_PRIORITY = 150
"""Columns from this priority on are always shown; ``w`` swaps the others."""


class TablePane(Pane, Generic[R]):
    """Rows made from records of one kind. Subclasses define the records and their cells."""

    scopes: ClassVar[frozenset[Scope]] = frozenset({Scope.ROWS, Scope.FILTER, Scope.PROBLEMS})
    columns: ClassVar[tuple[Column, ...]] = ()
    """Every column; the table drops those of low priority where it is narrow."""
    has_header: ClassVar[bool] = True
    follow_top: ClassVar[bool] = False
    """Whether a cursor on the first row stays on the newest row."""
    tells_place: ClassVar[bool] = True
    """Whether the title shows which rows are on screen where not all are."""
    above_word: ClassVar[str] = ""
    """A word for rows above the window, such as ``newer``; empty where it is not shown."""
    max_rows: ClassVar[int] = 2_000
    """Rows that are made in one slice, and the maximum for lists that may be longer."""
    filter_keys: ClassVar[frozenset[str]] = frozenset()
    noun: ClassVar[tuple[str, str]] = ("row", "rows")
    empty_text: ClassVar[str] = "Nothing here."
    """The text of an empty pane, with the next key, as ``{submit}``."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view: View | None = None
        """The newest view; None before the first."""
        self.all_records: Sequence[R] = ()
        self.shown_records: Sequence[R] = ()
        """Those that pass the filter, in the order on screen."""
        self._filter: Filter | None = None
        self._looks_into_text = False
        self._sort: tuple[str, bool] | None = None
        self._sifting = Slices()
        self._known: dict[str, tuple[R, Row]] = {}
        self._shows_others = False

    # --- what subclasses say ---

    def records(self, view: View) -> Sequence[R]:
        """All records in their own order."""
        raise AssertionError(f"{type(self).__name__} has no records")

    def row_id(self, record: R) -> str:
        """The record's subject, unique in the table."""
        raise AssertionError(f"{type(self).__name__} has no ids")

    def cells(self, record: R) -> Mapping[str, Cell]:
        """A cell for every column's key."""
        raise AssertionError(f"{type(self).__name__} has no cells")

    def value(self, record: R, key: str) -> Value:
        """The value for a filter key or column."""
        del record, key
        return None

    def sort_value(self, record: R, key: str) -> Value:
        """The value that orders a column: by default as in filters."""
        return self.value(record, key)

    def text(self, record: R) -> str:
        """The text in which the words of a filter are searched."""
        return line_text(self.cells(record).values())

    def is_problem(self, record: R) -> bool:
        """Whether it is shown when only problems are."""
        del record
        return False

    def suggestions(self) -> Collection[str]:
        """Words to try when a filter finds nothing, such as ``pool:gpu``."""
        return ()

    def titles(self) -> Sequence[Cell]:
        """The title, without the filter's part."""
        return ()

    # --- the pane ---

    def on_unmount(self) -> None:
        """Stop making rows."""
        self._sifting.stop()

    def compose_pane(self) -> ComposeResult:
        """The table."""
        glyphs = self.console.glyphs
        yield FleetTable(
            self.columns,
            empty=self.console.keyed(self.empty_text),
            header=self.has_header,
            follow_top=self.follow_top,
            sort_glyphs=(glyphs.sort_descending, glyphs.sort_ascending),
        )

    @property
    def table(self) -> FleetTable:
        """The table inside."""
        return self.query_one(FleetTable)

    def show(self, previous: View | None, view: View) -> None:
        """Show the records of a view."""
        self.view = view
        if previous is not None and self.is_sifting:
            return  # a long sift is in progress; the next view shows later changes
        self.all_records = self.records(view)
        self.refill()

    @property
    def is_sifting(self) -> bool:
        """Whether the rows on screen are still those of a previous filter, order or view."""
        return self._sifting.is_at_work

    def refill(self) -> None:
        """Show the records again, such as after a change of the filter or the order. Very many take
        longer than a key may wait, so they are processed in slices."""
        self._sifting.start(self._sift(self.candidates()))

    def candidates(self) -> Iterable[R]:
        """The records for the filter and the order; making one must not be slow."""
        return self.all_records

    def natural_order(self, record: R) -> Key:
        """The order of candidates that are not ``all_records``, which are already ordered."""
        raise AssertionError(f"{type(self).__name__} has no order")

    def total(self) -> int:
        """How many records there are, including filtered ones."""
        return len(self.all_records)

    @property
    def is_narrowed(self) -> bool:
        """Whether some records may be left out."""
        return self.problems_only or (self._filter is not None and self.filter_is_on)

    def _sift(self, candidates: Iterable[R]) -> Iterator[None]:
        shown: list[R] = []
        for record in candidates:
            if self._passes(record):
                shown.append(record)
            yield
        if self._sort is not None:
            key, descending = self._sort
            shown = yield from in_order(shown, self._order(key), descending=descending)
        elif candidates is not self.all_records:
            shown = yield from in_order(shown, self.natural_order, descending=False)
        for record in shown[: self.max_rows]:
            self._row(record)
            yield
        self.shown_records = shown
        self._fill(shown)
        self._set_empty()
        self._retitle()

    def _retitle(self) -> None:
        self.set_title(*self.titles(), *self._above(), *self._filter_title(), *self._position())

    def _position(self) -> Sequence[Cell]:
        """`` - rows 1-34 of 785`` where some rows are not on screen."""
        window, count = self.table.window, self.table.row_count
        if not self.tells_place or len(window) in (0, count):
            return ()
        return (
            Cell(f" - rows {window.start + 1}-{window.stop} of {words.grouped(count)}", Tone.DIM),
        )

    def _above(self) -> Sequence[Cell]:
        """``, 3 newer above``: new or worse rows above the window."""
        above = self.table.top
        if not above or not self.above_word or self._sort is not None:
            return ()
        if self.filter_text or self.problems_only:
            return ()
        return (Cell(f", {above} {self.above_word} above", Tone.WARN),)

    def _fill(self, shown: Sequence[R]) -> None:
        self.table.show(self.make_rows(shown))

    def make_rows(self, records: Sequence[R]) -> list[Row]:
        """Rows of records; rows of other records are dropped from the cache."""
        rows = [self._row(record) for record in records]
        known = self._known
        self._known = {row.id: known[row.id] for row in rows}
        return rows

    def _row(self, record: R) -> Row:
        """The row of a record; an unchanged record keeps its row."""
        row_id = self.row_id(record)
        old = self._known.get(row_id)
        if old is None or old[0] != record:
            cells = self.cells(record)
            row = Row(row_id, tuple(cells[c.key] for c in self.columns))
            old = self._known[row_id] = (record, row)
        return old[1]

    def forget_rows(self) -> None:
        """Rebuild every row next time, such as after a change of the columns."""
        self._known.clear()

    def _passes(self, record: R) -> bool:
        if self.problems_only and not self.is_problem(record):
            return False
        wanted = self._filter if self.filter_is_on else None
        if wanted is None:
            return True
        text = self.text(record) if self._looks_into_text else ""
        return wanted.matches(lambda key: self.value(record, key), text)

    def _order(self, key: str) -> Callable[[R], Key]:
        """Numbers by size, words by letters, the unknown last."""

        def order(record: R) -> Key:
            value = self.sort_value(record, key)
            if value is None:
                return (2, 0.0, "")
            if isinstance(value, float | int):
                return (0, float(value), "")
            return (1, 0.0, value if isinstance(value, str) else " ".join(sorted(value)))

        return order

    def _filter_title(self) -> Sequence[Cell]:
        hidden = self.total() - len(self.shown_records) if self.is_narrowed else 0
        cells: list[Cell] = []
        if self.problems_only:
            cells.append(Cell(" - problems only", Tone.ACCENT))
        if self.filter_text:
            off = "" if self.filter_is_on else " (off)"
            cells.append(Cell(f" - {self.filter_text}{off}", Tone.ACCENT))
        if hidden:
            cells.append(Cell(f" - {hidden} hidden", Tone.WARN))
        return cells

    def _set_empty(self) -> None:
        if not self.all_records or self.shown_records:
            view = self.view
            nothing_yet = view is not None and not view.state.seq and view.link is Link.RECONNECTING
            self.table.set_empty(
                self.console.keyed(STARTING_TEXT if nothing_yet else self.empty_text)
            )
            return
        total = self.total()
        if not (self.filter_text and self.filter_is_on):
            all_again = self.console.keyed("{problems} shows all")
            self.table.set_empty(f"No problems among {total} {self.noun[total != 1]}. {all_again}")
            return
        close = difflib.get_close_matches(self.filter_text, list(self.suggestions()), 1, 0.5)
        guess = f" - did you mean {close[0]}?" if close else ""
        # The nearest names may come from a host.
        said = safe_line(f"0 of {total} match {self.filter_text}{guess}")
        self.table.set_empty(f"{said} {self.console.keyed('{clear} clears')}")

    # --- operations ---

    def set_filter(self, text: str) -> tuple[int, str, str] | None:
        """Filter; see :meth:`Pane.set_filter`."""
        text = text.strip()
        now_ms = self.view.now_ms if self.view is not None else 0
        parsed = parse(
            text,
            now_ms=now_ms,
            keys=self.filter_keys,
            offset_minutes=self.console.utc_offset_minutes,
        )
        if isinstance(parsed, FilterProblem):
            return (parsed.column, parsed.message, parsed.hint)
        self.filter_text, self.filter_is_on = text, True
        self._filter = parsed if text else None
        self._looks_into_text = _looks_into_text(parsed.node)
        self.refill()
        return None

    def set_filter_on(self, on: bool) -> None:
        """Switch the filter off or on."""
        self.filter_is_on = on
        self.refill()

    def set_problems_only(self, only: bool) -> None:
        """Show only rows with problems."""
        self.problems_only = only
        self.refill()

    def clear_marks(self) -> bool:
        """Unmark all rows."""
        return self.table.clear_marks()

    def toggle_wide(self) -> None:
        """Prefer the columns that did not fit, or the usual ones again."""
        self._shows_others = not self._shows_others
        self.table.set_columns([self._preferred(column) for column in self.columns])

    def _preferred(self, column: Column) -> Column:
        if not self._shows_others or column.priority >= ALWAYS_PRIORITY:
            return column
        return column._replace(priority=ALWAYS_PRIORITY - column.priority)

    def sort_choices(self) -> Sequence[tuple[str, str]]:
        """The columns."""
        return tuple((column.key, column.title or column.key) for column in self.columns)

    def sort_by(self, key: str) -> None:
        """Order by a column."""
        self.table.sort_by(key)

    @on(FleetTable.SortChanged)
    def _sort_changed(self, event: FleetTable.SortChanged) -> None:
        event.stop()
        self._sort = (event.key, event.descending)
        self.refill()

    @on(FleetTable.MarksChanged)
    @on(FleetTable.RowHighlighted)
    def _selection_changed(
        self, event: FleetTable.MarksChanged | FleetTable.RowHighlighted
    ) -> None:
        event.stop()
        self._retitle()
        self._refresh_frame()

    @on(FleetTable.WindowMoved)
    def _window_moved(self, event: FleetTable.WindowMoved) -> None:
        event.stop()
        if self.view is not None:
            self._retitle()

    def selected_records(self) -> list[R]:
        """The marked records, or the one under the cursor."""
        by_id = {self.row_id(record): record for record in self.shown_records}
        return [by_id[row_id] for row_id in self.table.selected_ids if row_id in by_id]


def _looks_into_text(node: nodes.Node) -> bool:
    """Whether a filter searches for words; making the text of a record is the most expensive
    part."""
    match node:
        case nodes.Word() | nodes.Pattern():
            return True
        case nodes.Not(term):
            return _looks_into_text(term)
        case nodes.AllOf(terms) | nodes.AnyOf(terms):
            return any(_looks_into_text(term) for term in terms)
        case (
            nodes.Equals() | nodes.Compare() | nodes.Like() | nodes.Since()
            | nodes.Until()
        ):  # fmt: skip
            return False
        case _:
            assert_never(node)
