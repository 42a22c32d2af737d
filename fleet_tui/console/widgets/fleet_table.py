"""A table for live data: rows have ids, and only lines that changed are repainted.

The table shows rows in the order it is given; it never sorts. A click on a header (or ``sort_by``)
asks for another order with :class:`FleetTable.SortChanged`. The cursor and the marks belong to row
ids, and while the operator moves the cursor the order on screen stays as it is: new cell values
come in, rows do not move under the cursor.
"""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.widgets.columns import Column, Placed, Row, place_columns
from fleet_tui.console.widgets.paint import Painted

__all__ = ("Column", "FleetTable", "Row")

HOLD_MS = 1_500
"""How long the order of rows is kept after a movement of the cursor."""

MAX_CACHED_STRIPS = 1_000
"""Painted rows that are kept; more than any screen is high."""

WHEEL_ROWS = 3


class FleetTable(Painted, can_focus=True):
    """Rows under a header, with a cursor, marks, a sort indicator and a tail line."""

    DEFAULT_CSS = """
    FleetTable { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor(1)", "down", show=False, id="table.down"),
        Binding("up,k", "cursor(-1)", "up", show=False, id="table.up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="table.page-down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="table.page-up"),
        Binding("ctrl+d", "half_page(1)", "half page down", show=False, id="table.half-down"),
        Binding("ctrl+u", "half_page(-1)", "half page up", show=False, id="table.half-up"),
        Binding("home,g", "edge(-1)", "first", show=False, id="table.first"),
        Binding("G", "edge(1)", "last", show=False, id="table.last"),
        Binding("end", "end", "last", show=False, id="table.end"),
        Binding("enter", "open", "open", show=False, id="table.open"),
        Binding("space", "mark", "mark", show=False, id="table.mark"),
        Binding("v", "mark_range", "mark range", show=False, id="table.mark-range"),
        Binding("asterisk", "mark_all", "mark all", show=False, id="table.mark-all"),
        Binding("less_than_sign", "sort_next(-1)", "sort left", show=False, id="table.sort-left"),
        Binding(
            "greater_than_sign", "sort_next(1)", "sort right", show=False, id="table.sort-right"
        ),
    ]

    class RowMessage(Message):
        """Something about a row. Siblings, not children: handlers get children too."""

        def __init__(self, table: "FleetTable", row_id: str) -> None:
            super().__init__()
            self.table = table
            self.row_id = row_id

        @property
        def control(self) -> "FleetTable":
            """The table, for ``@on`` selectors."""
            return self.table

    class RowOpened(RowMessage):
        """Enter or a double click on a row."""

    class RowHighlighted(RowMessage):
        """The cursor is on another row."""

    class SortChanged(Message):
        """The operator asks for another order."""

        def __init__(self, table: "FleetTable", key: str, descending: bool) -> None:
            super().__init__()
            self.table = table
            self.key = key
            self.descending = descending

        @property
        def control(self) -> "FleetTable":
            """The table, for ``@on`` selectors."""
            return self.table

    class MarksChanged(Message):
        """Rows were marked or unmarked."""

        def __init__(self, table: "FleetTable", marks: frozenset[str]) -> None:
            super().__init__()
            self.table = table
            self.marks = marks

        @property
        def control(self) -> "FleetTable":
            """The table, for ``@on`` selectors."""
            return self.table

    class WindowMoved(Message):
        """Other rows are on screen; the cursor may be unchanged."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        sort_glyphs: tuple[str, str] = ("▾", "▴"),
        hold_ms: int = HOLD_MS,
        header: bool = True,
        follow_top: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """``empty`` is the text of the table while it has no rows.

        ``sort_glyphs`` are the marks of a falling and a rising order. Without a ``header`` every
        line is a row. With ``follow_top`` a cursor on the first row stays there when rows come.
        """
        super().__init__(id=id, classes=classes)
        self._columns = tuple(columns)
        self._empty = empty
        self._sort_glyphs = sort_glyphs
        self._hold_s = hold_ms / 1_000
        self._follow_top = follow_top
        self._head = 1 if header else 0
        """Lines above the first row."""
        self._rows: list[Row] = []
        self._index: dict[str, int] = {}
        self._tail: Line = ()
        self._placed: tuple[Placed, ...] = ()
        self._strips: dict[str, tuple[Row, Strip]] = {}
        self._cursor = 0
        self._top = 0
        self._marks: frozenset[str] = frozenset()
        self._range_from: str | None = None
        self._sort: tuple[str, bool] | None = None
        self._held: tuple[Sequence[Row], Line] | None = None
        self._hold_timer: asyncio.TimerHandle | None = None
        self._wants_last = False
        """The last row was asked for, and rows that come at the end may still be meant: before
        there are any, and while the order is held."""

    # --- what callers use ---

    @property
    def row_count(self) -> int:
        """Rows shown, without the tail line."""
        return len(self._rows)

    @property
    def cursor_id(self) -> str | None:
        """The id of the row under the cursor; None while there are no rows."""
        return self._rows[self._cursor].id if self._rows else None

    @property
    def marks(self) -> frozenset[str]:
        """Ids of the marked rows."""
        return self._marks

    @property
    def selected_ids(self) -> tuple[str, ...]:
        """The subjects of an action: the marked rows in their order, or the row under the
        cursor."""
        if self._marks:
            return tuple(row.id for row in self._rows if row.id in self._marks)
        return () if self.cursor_id is None else (self.cursor_id,)

    @property
    def top(self) -> int:
        """Index of the first row on screen."""
        return self._top

    @property
    def window(self) -> range:
        """Indices of the rows on screen."""
        return range(self._top, min(self._top + self._page, len(self._rows)))

    def show(self, rows: Sequence[Row], *, tail: Line = ()) -> None:
        """Show these rows in this order; ``tail`` is a summary line after them.

        Ids must be unique. Only lines on screen that differ are repainted.
        """
        if self._wants_last and self._go_on_at_the_end(rows):
            self._held = None
            self._replace(rows, tail)
            if self._hold_timer is None:
                self._hold()
            self._go_to(len(rows) - 1)
            return
        if self._hold_timer is not None and self._rows:
            self._held = (rows, tail)
            rows = self._in_present_order(rows)
        self._replace(rows, tail)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns; rows given from now on must have cells for them."""
        self._columns = tuple(columns)
        self._replan()

    def set_sort(self, key: str, descending: bool) -> None:
        """Set the order of the given rows, for the indicator in the header."""
        self._sort = (key, descending)
        if self._head:
            self.refresh_row(0)

    def set_empty(self, text: str) -> None:
        """What to show without rows, such as ``0 of 20 match pool:gpx``."""
        self._empty = text
        if not self._rows:
            self.refresh()

    def move_to(self, row_id: str) -> bool:
        """Put the cursor on a row; False if it is not there."""
        index = self._index.get(row_id)
        if index is None:
            return False
        self._move(index)
        return True

    def set_marks(self, marks: frozenset[str]) -> None:
        """Mark exactly these rows."""
        if marks == self._marks:
            return
        for row_id in marks ^ self._marks:
            self._refresh_index(self._index.get(row_id))
        self._marks = marks
        self.post_message(self.MarksChanged(self, marks))

    def clear_marks(self) -> bool:
        """Unmark everything; False if nothing was marked."""
        had = bool(self._marks)
        self._range_from = None
        self.set_marks(frozenset())
        return had

    def sort_by(self, key: str) -> None:
        """Request an order by a column; the same column again requests the reverse."""
        descending = not self._sort[1] if self._sort and self._sort[0] == key else False
        self.set_sort(key, descending)
        self._release()
        self.post_message(self.SortChanged(self, key, descending))

    # --- rows ---

    def _go_on_at_the_end(self, rows: Sequence[Row]) -> bool:
        """Whether they are those on screen, in the same order, and more after them. Where rows also
        changed places, the one under the cursor is no longer next to the end."""
        old = self._rows
        return len(rows) > len(old) and all(a.id == b.id for a, b in zip(old, rows, strict=False))

    def _in_present_order(self, rows: Sequence[Row]) -> list[Row]:
        """The rows in their current order on screen; new ones come last."""
        fresh = {row.id: row for row in rows}
        kept = [fresh.pop(row.id) for row in self._rows if row.id in fresh]
        return kept + list(fresh.values())

    def _replace(self, rows: Sequence[Row], tail: Line) -> None:
        old_rows, old_top, old_cursor = self._rows, self._top, self._cursor
        old_tail_y = len(old_rows) if self._tail else None
        cursor_id = self.cursor_id
        index = {row.id: at for at, row in enumerate(rows)}
        assert len(index) == len(rows), "row ids must be unique"
        self._rows, self._index = list(rows), index
        found = index.get(cursor_id, old_cursor) if cursor_id is not None else 0
        if self._follow_top and old_cursor == 0 and self._hold_timer is None:
            found = 0
        self._cursor = max(0, min(found, len(rows) - 1))
        tail_changed = tail != self._tail or (len(rows) if tail else None) != old_tail_y
        self._tail = tail
        # The cursor keeps its line on screen, so that the row in view does not move.
        self._top = self._bounded_top(old_top + self._cursor - old_cursor)
        if not old_rows or not rows:
            self.refresh()
        else:
            self._refresh_changes(old_rows, old_top, old_cursor, tail_changed)
        if gone := self._marks - index.keys():
            self.set_marks(self._marks - gone)
        if self.cursor_id != cursor_id and self.cursor_id is not None:
            self.post_message(self.RowHighlighted(self, self.cursor_id))

    def _refresh_changes(
        self, old_rows: list[Row], old_top: int, old_cursor: int, tail_changed: bool
    ) -> None:
        """Repaint the lines of the window that changed."""
        rows, top = self._rows, self._top
        for y in range(self._page):
            old, new = old_top + y, top + y
            before = old_rows[old] if old < len(old_rows) else None
            after = rows[new] if new < len(rows) else None
            moved = (old == old_cursor) != (new == self._cursor)
            if moved or (after is None and tail_changed):
                self.refresh_row(y + self._head)
            elif before != after:
                self._refresh_cells(y + self._head, before, after)

    def _refresh_cells(self, y: int, before: Row | None, after: Row | None) -> None:
        """Repaint the part of a line that differs: a number that ticks costs a few bytes."""
        changed = [
            placed
            for placed in self._placed
            if before is None
            or after is None
            or before.cells[placed.position] != after.cells[placed.position]
        ]
        marked = before is not None and after is not None and before.id != after.id and self._marks
        if marked or before is None or after is None:
            self.refresh_row(y)
        elif changed:
            first, last = changed[0], changed[-1]
            self.refresh(Region(first.x, y, last.x + last.width - first.x, 1))

    def _replan(self) -> None:
        """Place the columns again, such as after a change of size or theme."""
        self._placed = place_columns(self._columns, self.size.width)
        self._strips.clear()
        self._top = self._bounded_top(self._top)
        self.post_message(self.WindowMoved())
        self.refresh()

    # --- the cursor ---

    @property
    def _page(self) -> int:
        """Lines for rows: all but the header's."""
        return max(0, self.size.height - self._head)

    def _bounded_top(self, top: int) -> int:
        """The nearest place for the window that shows the cursor and no needless blank."""
        lines = len(self._rows) + bool(self._tail)
        top = min(top, self._cursor, lines - self._page)
        if self._page:
            top = max(top, self._cursor - self._page + 1)
        return max(0, top)

    def _move(self, index: int, *, to_last: bool = False) -> None:
        self._wants_last = to_last
        if self._rows:
            self._hold()
            self._go_to(index)

    def _go_to(self, index: int) -> None:
        old_cursor, old_top = self._cursor, self._top
        self._cursor = max(0, min(index, len(self._rows) - 1))
        if self._cursor == len(self._rows) - 1:
            self._top = self._bounded_top(len(self._rows))
        else:
            self._top = self._bounded_top(self._top)
        if self._cursor == old_cursor:
            return
        if self._range_from is not None:
            self._mark_range_to_cursor()
        if self._top != old_top:
            self.refresh()
        else:
            self._refresh_index(old_cursor)
            self._refresh_index(self._cursor)
        self.post_message(self.RowHighlighted(self, self._rows[self._cursor].id))

    def _scroll(self, rows: int) -> None:
        """Move the window; the cursor stays inside it."""
        if not self._rows or not self._page:
            return
        lines = len(self._rows) + bool(self._tail)
        top = max(0, min(self._top + rows, lines - self._page))
        if top == self._top:
            return
        self._wants_last = False
        self._hold()
        self._top = top
        cursor = max(top, min(self._cursor, top + self._page - 1, len(self._rows) - 1))
        if cursor != self._cursor:
            self._cursor = cursor
            self.post_message(self.RowHighlighted(self, self._rows[cursor].id))
        self.post_message(self.WindowMoved())
        self.refresh()

    def _refresh_index(self, index: int | None) -> None:
        if index is not None and self._top <= index < self._top + self._page:
            self.refresh_row(index - self._top + self._head)

    def _hold(self) -> None:
        """Keep the order of rows for a while: the operator is moving."""
        if self._hold_timer is not None:
            self._hold_timer.cancel()
        self._hold_timer = asyncio.get_running_loop().call_later(self._hold_s, self._release)

    def _release(self) -> None:
        """Let the rows take the order they were last given in."""
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None
        if self._held is not None and self.is_attached:
            rows, tail = self._held
            self._held = None
            self._replace(rows, tail)
        self._wants_last = False

    # --- keys and mouse ---

    def action_cursor(self, rows: int) -> None:
        """Move the cursor by rows."""
        self._move(self._cursor + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._move(self._cursor + pages * max(1, self._page - 1))

    def action_half_page(self, halves: int) -> None:
        """Move the cursor by half pages."""
        self._move(self._cursor + halves * max(1, self._page // 2))

    def action_end(self) -> None:
        """Go to the last row."""
        self.action_edge(1)

    def action_edge(self, side: int) -> None:
        """Go to the first (-1) or last (1) row, also where rows are still to come."""
        self._move(0 if side < 0 else len(self._rows) - 1, to_last=side > 0)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.cursor_id is not None:
            self.post_message(self.RowOpened(self, self.cursor_id))

    def action_mark(self) -> None:
        """Mark or unmark the row under the cursor and go to the next."""
        if self.cursor_id is not None:
            self._range_from = None
            self.set_marks(self._marks ^ {self.cursor_id})
            self._move(self._cursor + 1)

    def action_mark_range(self) -> None:
        """Begin a range at the cursor, or end it here."""
        if self._range_from is not None:
            self._range_from = None
        elif self.cursor_id is not None:
            self._range_from = self.cursor_id
            self._mark_range_to_cursor()

    def action_mark_all(self) -> None:
        """Mark all rows shown; again unmarks them."""
        everything = frozenset(self._index)
        self._range_from = None
        self.set_marks(frozenset() if everything == self._marks else everything)

    def action_sort_next(self, step: int) -> None:
        """Sort by the column to the left (-1) or right (1) of the present one."""
        keys = [placed.column.key for placed in self._placed]
        if not keys:
            return
        present = keys.index(self._sort[0]) if self._sort and self._sort[0] in keys else -step
        self.sort_by(keys[(present + step) % len(keys)])

    def _mark_range_to_cursor(self) -> None:
        start = self._index.get(self._range_from or "")
        if start is None:
            self._range_from = None
            return
        first, last = sorted((start, self._cursor))
        self.set_marks(self._marks | {row.id for row in self._rows[first : last + 1]})

    def on_click(self, event: events.Click) -> None:
        """A click on a title sorts, on a row moves there; a double click opens."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < self._head:
            for placed in self._placed:
                if placed.x <= offset.x <= placed.x + placed.width:
                    self.sort_by(placed.column.key)
                    return
            return
        index = self._top + offset.y - self._head
        if index < len(self._rows):
            self._move(index)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll towards the end."""
        event.stop()
        self._scroll(WHEEL_ROWS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll towards the start."""
        event.stop()
        self._scroll(-WHEEL_ROWS)

    # --- painting ---

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._replan()

    def show_focus(self) -> None:
        """The line of the cursor alone looks different."""
        self._refresh_index(self._cursor)

    def on_unmount(self) -> None:
        """Forget the timer that would touch a table that is gone."""
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None

    def notify_style_update(self) -> None:
        """Colours changed: discard everything painted before."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """Line 0 is the header, then the rows of the window, then the tail."""
        width = self.size.width
        if y < self._head:
            return self._paint_header(width)
        if not self._rows:
            return self.paint((Cell(self._empty, Tone.DIM),) if y == self._head else (), width)
        index = self._top + y - self._head
        if index < len(self._rows):
            return self._paint_row(index, width)
        return self.paint(self._tail if index == len(self._rows) else (), width)

    def _paint_header(self, width: int) -> Strip:
        cells: list[Cell] = []
        for placed in self._placed:
            title = placed.column.title
            if self._sort is not None and self._sort[0] == placed.column.key:
                glyph = self._sort_glyphs[0 if self._sort[1] else 1]
                # In a narrow column the sign matters more than the end of the title.
                room = placed.width - 2
                title = f"{title} {glyph}" if len(title) <= room else title[: room + 1] + glyph
            cells.append(Cell(fit(title, placed.width, placed.column.align) + " ", Tone.TITLE))
        return self.paint(cells, width)

    def _paint_row(self, index: int, width: int) -> Strip:
        row = self._rows[index]
        if index == self._cursor:
            tone = Tone.CURSOR if self.has_focus else Tone.CURSOR_BLURRED
            return self._paint_cells(row, width, self.tone_change(tone))
        if row.id in self._marks:
            return self._paint_cells(row, width, self.tone_change(Tone.MARK))
        cached = self._strips.get(row.id)
        if cached is not None and cached[0] == row:
            return cached[1]
        if len(self._strips) >= MAX_CACHED_STRIPS:
            self._strips.clear()
        strip = self._paint_cells(row, width, None)
        self._strips[row.id] = (row, strip)
        return strip

    def _paint_cells(self, row: Row, width: int, over: Style | None) -> Strip:
        cells: list[Cell] = []
        for placed in self._placed:
            text, tone = row.cells[placed.position]
            cells.append(Cell(fit(text, placed.width, placed.column.align) + " ", tone))
        return self.paint(cells, width, over)
