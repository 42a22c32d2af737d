"""A window on many log lines: a bounded ring of them, of which only the visible are ever formatted.

Appending costs the same whether one line or five thousand come in a second; the pane repaints once
per frame. Entries keep their number for as long as they are held, so the window and the cursor stay
on the same line while older ones fall out at the front.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, NamedTuple

from rich.cells import chop_cells
from textual import events
from textual.binding import BindingType
from textual.geometry import Offset
from textual.message import Message
from textual.selection import Selection
from textual.strip import Strip

from fleet_tui.console.terminal.frame import FrameLimiter
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.views.logs.lines import LogEntry, is_error, log_cells, log_matches
from fleet_tui.console.views.logs.search import LogSearch
from fleet_tui.console.widgets.log_keys import LOG_KEYS
from fleet_tui.console.widgets.paint import Painted, between, overlay
from fleet_tui.core.text.filters.filter import Filter
from fleet_tui.core.text.words import plural

__all__ = ["LogEntry", "LogView", "log_cells", "log_matches"]

MAX_LINES = 20_000
"""Entries held unless the caller says otherwise; the log store keeps the rest."""

_SLACK = 4
"""The ring is trimmed when it is a quarter over, so that trimming is rare and cheap."""

FOLLOW_FRAME_MS = 500
"""A new line moves all the others, so a frame repaints the whole pane; two a second are enough."""

MAX_CACHED_STRIPS = 1_000
"""Painted lines that are kept; more than any screen is high."""

WHEEL_LINES = 3
SIDE_STEP = 8
"""Cells that one key moves sideways."""


class _Stretch(NamedTuple):
    """The content of one line of the screen: an entry's characters from ``start`` to ``end``."""

    number: int
    start: int
    end: int | None


class LogView(Painted, can_focus=True):
    """Follows the newest lines until the operator scrolls back; then nothing moves."""

    ALLOW_SELECT = True

    DEFAULT_CSS = """
    LogView { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = LOG_KEYS

    class Told(Message):
        """Something happened to a view."""

        def __init__(self, view: "LogView") -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> "LogView":
            """The view, for ``@on`` selectors."""
            return self.view

    class FollowChanged(Told):
        """The pane began or stopped to follow the newest lines."""

        def __init__(self, view: "LogView", following: bool) -> None:
            super().__init__(view)
            self.following = following

    class Searched(Told):
        """The filter has searched every line held."""

    class CursorMoved(Told):
        """Another line, or none, is under the cursor: :attr:`LogView.current`."""

    class TopReached(Told):
        """The oldest entry held came into view: older ones may be fetched and prepended."""

    def __init__(
        self,
        *,
        max_lines: int = MAX_LINES,
        describe: Callable[[LogEntry], Line] = log_cells,
        empty: str = "",
        frame_ms: int = FOLLOW_FRAME_MS,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """``describe`` turns a visible entry into cells; it must not be slow."""
        super().__init__(id=id, classes=classes)
        assert max_lines > 0, max_lines
        self._max_lines = max_lines
        self._describe = describe
        self._empty = empty
        self._entries: list[LogEntry] = []
        self._first = 0
        """Number of the oldest entry held."""
        self.search = LogSearch(lambda: (self._first, self._entries), self._searched)
        self._hides = False
        """Whether lines that the filter does not find are hidden."""
        self._top = 0
        """Number of the first entry on screen while not following."""
        self._cursor: int | None = None
        self._following = True
        self._seen = 0
        """Number after the newest entry when following stopped."""
        self._wrap = False
        self._left = 0
        self._plan: list[_Stretch] | None = None
        self._strips: dict[int, Strip] = {}
        """Painted lines by number, while nothing but new lines changes."""
        self._limiter = FrameLimiter(self._repaint, frame_ms)

    # --- what callers use ---

    @property
    def is_following(self) -> bool:
        """Whether the newest line is kept in view."""
        return self._following

    @property
    def is_wrapping(self) -> bool:
        """Whether long lines are wrapped."""
        return self._wrap

    @property
    def line_count(self) -> int:
        """Entries that can be scrolled to: those held that pass the filter."""
        return len(self._entries) if self._passed is None else len(self._passed)

    @property
    def hidden_count(self) -> int:
        """Entries held that the filter hides."""
        return len(self._entries) - self.line_count

    @property
    def unseen_count(self) -> int:
        """Entries that came since following stopped."""
        return 0 if self._following else self.line_count - self._position(self._seen)

    @property
    def current(self) -> LogEntry | None:
        """The entry under the cursor."""
        return None if self._cursor is None else self._entry(self._cursor)

    @property
    def oldest(self) -> LogEntry | None:
        """The oldest entry held, hidden or not."""
        return self._entries[0] if self._entries else None

    @property
    def hiding(self) -> Filter | None:
        """The filter that hides other lines; None while there is none."""
        return self.search.wanted if self._hides else None

    def shown(self) -> Iterator[LogEntry]:
        """The entries that can be scrolled to, oldest first."""
        if self._passed is None:
            return iter(self._entries)
        return (self._entries[number - self._first] for number in self._passed)

    def append(self, entries: Iterable[LogEntry]) -> None:
        """Add entries at the end; the oldest fall out when the ring is full."""
        before = len(self._entries)
        self._entries.extend(entries)
        if len(self._entries) == before:
            return
        self._trim()
        self.search.go_on()
        if self.is_attached:
            self._limiter.request()

    def prepend(self, entries: Sequence[LogEntry]) -> int:
        """Put older entries before the oldest one held; nothing on screen moves.

        Returns how many there was room for: the newest of them, as many as the ring still holds.
        """
        room = max(0, self._max_lines - len(self._entries))
        taken = list(entries[-room:]) if room else []
        self._entries[:0] = taken
        self._first -= len(taken)
        self.search.go_on()
        self._plan = None
        if self.is_attached:
            self._limiter.request()
        return len(taken)

    def drop_before(self, line_id: int) -> None:
        """Drop entries stored before a line, such as those fetched for another filter."""
        count = 0
        while count < len(self._entries) and 0 < self._entries[count].line_id < line_id:
            count += 1
        del self._entries[:count]
        self._first += count
        self.search.forget_before(self._first)
        if self._cursor is not None and self._cursor < self._first:
            self._set_cursor(self._first if self._entries else None)
        self._top = max(self._top, self._first)
        self._changed()

    def replace(self, entries: Sequence[LogEntry]) -> None:
        """Show other entries altogether, as after a change of scope; follows again."""
        self._first += len(self._entries)
        self._entries = []
        self.search.begin(self.search.wanted)
        self._set_cursor(None)
        self._left = 0
        self._set_following(True)
        self.append(entries)
        self._changed()

    def set_filter(self, wanted: Filter | None, *, hide: bool = True) -> None:
        """Highlight what a filter finds and, with ``hide``, show nothing else."""
        self._hides = hide
        self.search.begin(wanted)
        self._changed()

    def set_empty(self, text: str) -> None:
        """What to show without lines."""
        self._empty = text
        self._changed()

    def go_to(self, position: int) -> None:
        """Put the cursor on the entry at a position from 0 to ``line_count`` - 1."""
        if self.line_count:
            self._go_to(self._number(max(0, min(position, self.line_count - 1))))

    # --- what the filter finds ---

    @property
    def _passed(self) -> list[int] | None:
        """Numbers of the entries that can be scrolled to; None while nothing is hidden."""
        return self.search.numbers if self._hides and self.search.wanted is not None else None

    def _searched(self, *, is_done: bool) -> None:
        """Another line is shown, or there will be no more of them."""
        self._plan = None
        if self.is_attached:
            self._limiter.request()
            if is_done:
                self.post_message(self.Searched(self))

    # --- numbers and positions ---

    def _number(self, position: int) -> int:
        return self._first + position if self._passed is None else self._passed[position]

    def _position(self, number: int) -> int:
        """Position of an entry, or of the next one still held and shown."""
        if self._passed is None:
            return max(0, min(number - self._first, len(self._entries)))
        return bisect_left(self._passed, number)

    def _entry(self, number: int) -> LogEntry | None:
        at = number - self._first
        return self._entries[at] if 0 <= at < len(self._entries) else None

    def _trim(self) -> None:
        over = len(self._entries) - self._max_lines
        if over <= 0 or len(self._entries) < self._max_lines + self._max_lines // _SLACK:
            return
        del self._entries[:over]
        self._first += over
        self.search.forget_before(self._first)
        if self._cursor is not None and self._cursor < self._first:
            self._cursor = self._first

    # --- the window ---

    def _window(self) -> list[_Stretch]:
        """What each line of the screen shows, worked out once per painting."""
        if self._plan is None:
            self._plan = self._plan_back() if self._following else self._plan_on()
        return self._plan

    def _plan_on(self) -> list[_Stretch]:
        """From the top entry on; from the end back if that would leave a blank."""
        height = self.size.height
        plan: list[_Stretch] = []
        for position in range(self._position(self._top), self.line_count):
            plan.extend(self._stretches(self._number(position)))
            if len(plan) >= height:
                return plan[:height]
        return self._plan_back()

    def _plan_back(self) -> list[_Stretch]:
        """So that the newest entry is on the last line."""
        height = self.size.height
        rows: list[_Stretch] = []
        position = self.line_count - 1
        while position >= 0 and len(rows) < height:
            rows[:0] = self._stretches(self._number(position))
            position -= 1
        return rows[-height:] if height else []

    def _stretches(self, number: int) -> list[_Stretch]:
        if not self._wrap:
            return [_Stretch(number, 0, None)]
        text = "".join(cell.text for cell in self._cells(number))
        rows: list[_Stretch] = []
        start = 0
        for piece in chop_cells(text, max(2, self.size.width)):
            rows.append(_Stretch(number, start, start + len(piece)))
            start += len(piece)
        return rows or [_Stretch(number, 0, None)]

    def _cells(self, number: int) -> Line:
        entry = self._entry(number)
        return () if entry is None else self._describe(entry)

    def _changed(self) -> None:
        """Show the effect of the operator's action at once."""
        self._plan = None
        self._strips.clear()
        if self.is_attached:
            self._limiter.now()
            window = self._window()
            if not self._following and (not window or window[0].number <= self._number(0)):
                self.post_message(self.TopReached(self))

    def _repaint(self) -> None:
        if self._following:
            self._plan = None
            self.refresh()
        elif self._plan is None:
            self.refresh()
        else:
            # Nothing moves; only the note of new lines can have changed.
            self.refresh_row(self.size.height - 1)
            if self._top < self._first or len(self._plan) < self.size.height:
                self._plan = None
                self.refresh()

    # --- moving ---

    def _set_following(self, following: bool) -> None:
        if following == self._following:
            return
        if not following:
            window = self._window()
            self._top = window[0].number if window else self._first
            self._seen = self._first + len(self._entries)
        self._following = following
        self.post_message(self.FollowChanged(self, following))

    def _set_cursor(self, number: int | None) -> None:
        if number != self._cursor:
            self._cursor = number
            self.post_message(self.CursorMoved(self))

    def _go_to(self, number: int) -> None:
        """Put the cursor on an entry and the window around it."""
        self._set_following(False)
        self._set_cursor(number)
        window = self._window()
        shown = {stretch.number for stretch in window}
        if number not in shown:
            height = max(1, self.size.height)
            position = self._position(number)
            if window and number > window[-1].number:
                self._top = self._number(max(0, position - height + 1))
            else:
                self._top = number
        self._changed()

    def _cursor_position(self) -> int:
        """Where movement starts: the cursor, or the last line on screen."""
        if self._cursor is not None:
            return self._position(self._cursor)
        window = self._window()
        return self._position(window[-1].number) if window else 0

    def _move(self, lines: int) -> None:
        if not self.line_count:
            return
        target = self._cursor_position() + lines
        if target >= self.line_count and lines > 0:
            self.action_follow()
        else:
            self.go_to(target)

    def _scroll(self, lines: int) -> None:
        """Move the window; reaching the end follows again."""
        if not self.line_count:
            return
        window = self._window()
        top = self._position(window[0].number if self._following else self._top) + lines
        if lines > 0 and window and window[-1].number == self._number(self.line_count - 1):
            self.action_follow()
            return
        self._set_following(False)
        self._top = self._number(max(0, min(top, self.line_count - 1)))
        self._changed()

    def action_cursor(self, lines: int) -> None:
        """Move the cursor by lines."""
        self._move(lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self._move(pages * max(1, self.size.height - 1))

    def action_half_page(self, halves: int) -> None:
        """Move the cursor by half pages."""
        self._move(halves * max(1, self.size.height // 2))

    def action_first(self) -> None:
        """Go to the oldest line held."""
        self.go_to(0)

    def action_end(self) -> None:
        """As ``G``."""
        self.action_follow()

    def action_follow(self) -> None:
        """Go to the newest line and follow."""
        self._set_cursor(None)
        self._set_following(True)
        self._changed()

    def action_toggle_follow(self) -> None:
        """Follow, or stand still."""
        if self._following:
            self._set_following(False)
            self._changed()
        else:
            self.action_follow()

    def action_toggle_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self._wrap = not self._wrap
        self._left = 0
        self._changed()

    def action_side(self, steps: int) -> None:
        """Scroll sideways while lines are not wrapped."""
        if not self._wrap:
            self._left = max(0, self._left + steps * SIDE_STEP)
            self._changed()

    def action_error(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) error."""
        self._find(direction, lambda _, entry: is_error(entry))

    def action_match(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) line the filter finds."""
        if self.search.wanted is not None:
            found = frozenset(self.search.numbers)
            self._find(direction, lambda number, _: number in found)

    def _find(self, direction: int, wanted: Callable[[int, LogEntry], bool]) -> None:
        here = self._cursor_position()
        if self._cursor is None and direction < 0:
            here += 1
        ahead = range(here + 1, self.line_count) if direction > 0 else range(here - 1, -1, -1)
        for position in ahead:
            number = self._number(position)
            entry = self._entry(number)
            if entry is not None and wanted(number, entry):
                self._go_to(number)
                return
        self.app.bell()

    # --- mouse ---

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll towards the newest."""
        event.stop()
        self._scroll(WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll towards the oldest."""
        event.stop()
        self._scroll(-WHEEL_LINES)

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there."""
        offset = event.get_content_offset(self)
        window = self._window()
        if offset is not None and offset.y < len(window) and self.text_selection is None:
            self._go_to(window[offset.y].number)

    # --- painting ---

    def on_mount(self) -> None:
        """Lines may have arrived before the view existed."""
        self._plan = None

    def on_resize(self) -> None:
        """Another size shows other lines; the cursor stays among them."""
        self._plan = None
        if self._cursor is not None:
            self._go_to(self._cursor)
        else:
            self._changed()

    def on_unmount(self) -> None:
        """Stop painting."""
        self._limiter.stop()
        self.search.stop()

    def render_line(self, y: int) -> Strip:
        """One line of the window; the last also tells of lines that came since."""
        width = self.size.width
        window = self._window()
        if not window:
            return self.paint((Cell(self._empty, Tone.DIM),) if y == 0 else (), width)
        strip = self._painted(window[y], width) if y < len(window) else self.paint((), width)
        if y == self.size.height - 1 and (unseen := self.unseen_count):
            note = Strip(self.segments((Cell(f" {plural(unseen, 'new line')} ", Tone.BADGE),)))
            size = min(width, note.cell_length)
            return Strip.join([strip.crop(0, width - size), note.crop(0, size)])
        return strip

    def _painted(self, stretch: _Stretch, width: int) -> Strip:
        """A cached painted line, if it is still valid."""
        special = self._wrap or stretch.number == self._cursor or self.text_selection is not None
        if special:
            return self._paint_stretch(stretch, width)
        strip = self._strips.get(stretch.number)
        if strip is None:
            if len(self._strips) >= MAX_CACHED_STRIPS:
                self._strips.clear()
            strip = self._strips[stretch.number] = self._paint_stretch(stretch, width)
        return strip

    def notify_style_update(self) -> None:
        """Colours changed: discard everything painted before."""
        super().notify_style_update()
        self._strips.clear()

    def _paint_stretch(self, stretch: _Stretch, width: int) -> Strip:
        number = stretch.number
        over = None
        if number == self._cursor:
            over = self.tone_change(Tone.CURSOR if self.has_focus else Tone.CURSOR_BLURRED)
        cells = self._cells(number)
        segments = self.segments(cells, over)
        if (wanted := self.search.wanted) is not None:
            text = "".join(cell.text for cell in cells)
            segments = overlay(segments, wanted.spans(text), self.tone_change(Tone.MATCH))
        if (selection := self.text_selection) is not None:
            span = selection.get_span(number)
            if span is not None:
                start, end = span
                style = self.screen.get_component_rich_style("screen--selection")
                segments = overlay(segments, [(start, 1 << 30 if end == -1 else end)], style)
        start_cells = self._left
        if self._wrap:
            segments = between(segments, stretch.start, stretch.end)
            start_cells = 0
        plain = self.rich_style if over is None else self.rich_style + over
        strip = Strip(segments).crop_extend(start_cells, start_cells + width, plain).simplify()
        return strip.apply_offsets(stretch.start if self._wrap else start_cells, number)

    def text_select_all(self) -> None:
        """A double click selects the line under it, not twenty thousand."""
        if self._cursor is not None:
            size = sum(len(cell.text) for cell in self._cells(self._cursor))
            line = Selection(Offset(0, self._cursor), Offset(size, self._cursor))
            self.screen.selections = {self: line}

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, for copying."""
        last = self._first + len(self._entries) - 1
        top = self._first if selection.start is None else max(self._first, selection.start.y)
        bottom = last if selection.end is None else min(last, selection.end.y)
        lines: list[str] = []
        for position in range(self._position(top), self._position(bottom + 1)):
            number = self._number(position)
            span = selection.get_span(number)
            if span is not None:
                text = "".join(cell.text for cell in self._cells(number))
                lines.append(text[span[0] : None if span[1] == -1 else span[1]])
        return ("\n".join(lines), "\n") if lines else None
