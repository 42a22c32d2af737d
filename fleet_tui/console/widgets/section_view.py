"""A document of titled sections with lines that can be opened: what drill-downs show.

The view keeps its place when it is shown again with other words: its first line and its cursor stay
where they are. Moving goes from one line that can be opened to the next and scrolls in between.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import Section, Target, wrap
from fleet_tui.console.text.fit import fit
from fleet_tui.console.widgets.paint import Painted

WHEEL_LINES = 3


class _Drawn(NamedTuple):
    """A line as laid out for the present width."""

    cells: Line
    target: Target | None = None


def lay_out(sections: Sequence[Section], width: int, rule: str = "─") -> list[_Drawn]:
    """The sections as lines of at most ``width`` cells; every title is a rule."""
    made: list[_Drawn] = []
    for section in sections:
        if section.title:
            title = fit(section.title, min(len(section.title), max(0, width - 2)))
            rest = rule * max(0, width - len(title) - 1)
            made.append(
                _Drawn((Cell(rule, Tone.DIM), Cell(title, Tone.TITLE), Cell(rest, Tone.DIM)))
            )
        for row in section.lines:
            first, *others = wrap(row.cells, width, row.indent)
            made.append(_Drawn(first, row.target))
            made.extend(_Drawn(cells) for cells in others)
    return made


class SectionView(Painted, can_focus=True):
    """Scrolls through sections; ``enter`` opens the target of the marked line."""

    DEFAULT_CSS = """
    SectionView { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "down", show=False, id="log.down"),
        Binding("up,k", "step(-1)", "up", show=False, id="log.up"),
        Binding("pagedown", "scroll_lines(1, 1)", "page down", show=False, id="log.page-down"),
        Binding("pageup", "scroll_lines(-1, 1)", "page up", show=False, id="log.page-up"),
        Binding("ctrl+d", "scroll_lines(1, 2)", "half down", show=False, id="log.half-down"),
        Binding("ctrl+u", "scroll_lines(-1, 2)", "half up", show=False, id="log.half-up"),
        Binding("home,g", "edge(-1)", "first", show=False, id="log.first"),
        Binding("G", "edge(1)", "last", show=False, id="log.last"),
        Binding("end", "end", "last", show=False, id="log.end"),
        Binding("enter", "open", "open", show=False, id="table.open"),
    ]

    class Opened(Message):
        """Enter or a double click on a line with a target."""

        def __init__(self, view: "SectionView", target: Target) -> None:
            super().__init__()
            self.view = view
            self.target = target

        @property
        def control(self) -> "SectionView":
            """The view, for ``@on`` selectors."""
            return self.view

    def __init__(
        self, *, rule: str = "─", id: str | None = None, classes: str | None = None
    ) -> None:
        """``rule`` draws the lines of titles."""
        super().__init__(id=id, classes=classes)
        self._rule = rule
        self._sections: tuple[Section, ...] = ()
        self._lines: list[_Drawn] = []
        self._top = 0
        self._cursor: int | None = None

    # --- what callers use ---

    def show(self, sections: Sequence[Section]) -> None:
        """Show these sections; only lines on screen that differ are repainted."""
        made = tuple(sections)
        if made == self._sections:
            return
        self._sections = made
        before, old_top = self._lines, self._top
        self._relay()
        if self._top != old_top or not before:
            self.refresh()
            return
        for y in range(self.size.height):
            at = self._top + y
            old = before[at] if at < len(before) else None
            new = self._lines[at] if at < len(self._lines) else None
            if old != new:
                self.refresh_row(y)

    @property
    def target(self) -> Target | None:
        """The target of the marked line."""
        return None if self._cursor is None else self._lines[self._cursor].target

    @property
    def marked_text(self) -> str:
        """The marked line, or the first on screen, as safe text."""
        at = self._top if self._cursor is None else self._cursor
        return "".join(c.text for c in self._lines[at].cells).strip() if self._lines else ""

    @property
    def more(self) -> int:
        """Lines below the last one on screen."""
        return max(0, len(self._lines) - self._top - self.size.height)

    # --- layout ---

    def on_resize(self) -> None:
        """Wrap for the new width."""
        self._relay()
        self.refresh()

    def _relay(self) -> None:
        if self.size.width:
            self._lines = lay_out(self._sections, self.size.width, self._rule)
        at = self._cursor
        if at is not None and (at >= len(self._lines) or self._lines[at].target is None):
            self._cursor = None
        self._top = self._bounded(self._top)

    def _bounded(self, top: int) -> int:
        return max(0, min(top, len(self._lines) - self.size.height))

    # --- moving ---

    def _go_top(self, top: int) -> None:
        top = self._bounded(top)
        if top != self._top:
            self._top = top
            self.refresh()

    def _mark(self, at: int | None) -> None:
        old, self._cursor = self._cursor, at
        for line in (old, at):
            if line is not None:
                self.refresh_row(line - self._top)

    def action_step(self, lines: int) -> None:
        """To the next line that can be opened if it is in view, else one line on."""
        height = self.size.height
        start = self._cursor
        if start is None or not self._top <= start < self._top + height:
            start = self._top - 1 if lines > 0 else self._top + height
        at = start + lines
        while self._top <= at < min(self._top + height, len(self._lines)):
            if self._lines[at].target is not None:
                self._mark(at)
                return
            at += lines
        self._go_top(self._top + lines)
        edge = self._top + height - 1 if lines > 0 else self._top
        if 0 <= edge < len(self._lines) and self._lines[edge].target is not None:
            self._mark(edge)

    def action_scroll_lines(self, direction: int, parts: int) -> None:
        """A page or a part of one."""
        step = max(1, self.size.height // parts - (1 if parts == 1 else 0))
        self._go_top(self._top + direction * step)

    def action_end(self) -> None:
        """To the last line."""
        self.action_edge(1)

    def action_edge(self, side: int) -> None:
        """To the first (-1) or last (1) line."""
        self._go_top(0 if side < 0 else len(self._lines))

    def action_open(self) -> None:
        """Open the target of the marked line."""
        if self.target is not None:
            self.post_message(self.Opened(self, self.target))

    def on_click(self, event: events.Click) -> None:
        """A click marks a line, a double click opens it."""
        offset = event.get_content_offset(self)
        if offset is None or self._top + offset.y >= len(self._lines):
            return
        at = self._top + offset.y
        if self._lines[at].target is not None:
            self._mark(at)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll towards the end."""
        event.stop()
        self._go_top(self._top + WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll towards the start."""
        event.stop()
        self._go_top(self._top - WHEEL_LINES)

    # --- painting ---

    def show_focus(self) -> None:
        """The line of the cursor alone looks different."""
        self._mark(self._cursor)

    def render_line(self, y: int) -> Strip:
        """A line of the window, the marked one as a cursor."""
        width, at = self.size.width, self._top + y
        if at >= len(self._lines):
            return self.paint((), width)
        over = None
        if at == self._cursor:
            tone = Tone.CURSOR if self.has_focus else Tone.CURSOR_BLURRED
            over = self.tone_change(tone)
        return self.paint(self._lines[at].cells, width, over)
