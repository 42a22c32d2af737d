"""Widgets of exactly one line: the header, the keys at the foot, a banner. And one of as many lines
as its text needs.

They know their width and decide what fits; nothing is cut off silently at the edge.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import wrap
from fleet_tui.console.text.fit import line_width
from fleet_tui.console.widgets.paint import Painted

ALWAYS_SHOWN = frozenset({"help", "back"})
"""Actions whose keys the foot never drops: help, and the way out."""


class Part(NamedTuple):
    """A part of the header that is shown whole or not at all."""

    cells: Line
    priority: int = 100
    """When space is short, parts with the lowest priority are dropped first."""


class KeyHint(NamedTuple):
    """A key the foot offers: ``key`` as printed, ``action`` as named in the registry."""

    key: str
    label: str
    action: str
    priority: int = 100


def changed(before: Line, after: Line, width: int) -> tuple[int, int]:
    """The range of cells in which two lines of ``width`` cells differ; (0, 0) if they are equal."""
    old = [(char, tone) for text, tone in before for char in text]
    new = [(char, tone) for text, tone in after for char in text]
    if old == new:
        return (0, 0)
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    same = min(len(old), len(new)) if same is None else same
    start = cell_len("".join(char for char, _ in new[:same]))
    # A sign that takes no cell of its own changes the one before it.
    start = max(0, start - 1)
    if line_width(before) != line_width(after) or len(old) != len(new):
        return (start, width)
    tail = 0
    while old[-1 - tail] == new[-1 - tail]:
        tail += 1
    end = line_width(after) - cell_len("".join(char for char, _ in new[len(new) - tail :]))
    return (start, min(end, width))


class OneLine(Painted):
    """A line of cells; cheap to update because its size never changes."""

    DEFAULT_CSS = """
    OneLine { height: 1; }
    """

    def __init__(
        self, cells: Line = (), *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._cells = cells

    def show(self, cells: Line) -> None:
        """Show these cells; nothing happens if they are the same as before."""
        if cells != self._cells:
            before = self.line(self.size.width)
            self._cells = cells
            self.refresh_change(before)

    def refresh_change(self, before: Line) -> None:
        """Repaint the changed part of the line: a few cells instead of the width."""
        width = self.size.width
        start, end = changed(before, self.line(width), width)
        if end > start:
            self.refresh(Region(start, 0, end - start, 1))

    def line(self, width: int) -> Line:
        """What is painted at this width."""
        del width
        return self._cells

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """For a width of ``auto``: as wide as the cells."""
        del container, viewport
        return line_width(self._cells)

    def render_line(self, y: int) -> Strip:
        """The line, filled up to the widget's width."""
        width = self.size.width
        return self.paint(self.line(width) if y == 0 else (), width)


class Wrapped(Painted):
    """Lines that are wrapped to the widget, which is as high as they are."""

    DEFAULT_CSS = """
    Wrapped { height: auto; }
    """

    def __init__(self, *lines: Line) -> None:
        super().__init__()
        self._said = lines

    def broken(self, width: int) -> list[Line]:
        """The lines as they are painted at this width."""
        return [part for line in self._said for part in wrap(line, width, 1)]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """For a height of ``auto``: as many lines as there are at this width."""
        del container, viewport
        return len(self.broken(width))

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        width = self.size.width
        lines = self.broken(width)
        return self.paint(lines[y] if y < len(lines) else (), width)


class HeaderLine(OneLine):
    """Parts from the left, and at the right end the parts that are always shown: alerts and the
    mode."""

    def __init__(
        self, *, separator: str = "│", id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._separator = separator
        self._left: tuple[Part, ...] = ()
        self._right: Line = ()

    def show_parts(self, left: Sequence[Part], right: Line) -> None:
        """Show other parts; nothing is repainted if they are the same as before."""
        if (tuple(left), right) != (self._left, self._right):
            before = self.line(self.size.width)
            self._left, self._right = tuple(left), right
            self.refresh_change(before)

    def line(self, width: int) -> Line:
        """The parts that fit, in their order, with the right end kept."""
        gap = len(self._separator) + 2
        room = width - line_width(self._right) - 1
        parts = list(self._left)

        def needed() -> int:
            return sum(line_width(part.cells) for part in parts) + gap * max(0, len(parts) - 1)

        while parts and needed() > room:
            parts.remove(min(reversed(parts), key=lambda part: part.priority))
        cells: list[Cell] = []
        for part in parts:
            if cells:
                cells.append(Cell(f" {self._separator} ", Tone.DIM))
            cells.extend(part.cells)
        space = max(0, width - line_width(cells) - line_width(self._right))
        return (*cells, Cell(" " * space), *self._right)


class KeysLine(OneLine):
    """The keys of the pane in focus: as many as fit, those of help and the way out
    always."""

    class Chosen(Message):
        """A key was clicked."""

        def __init__(self, hint: KeyHint) -> None:
            super().__init__()
            self.hint = hint

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._hints: tuple[KeyHint, ...] = ()

    def show_hints(self, hints: Sequence[KeyHint]) -> None:
        """Show other keys; nothing is repainted if they are the same as before."""
        if tuple(hints) != self._hints:
            self._hints = tuple(hints)
            self.refresh()

    def fitting(self, width: int) -> tuple[KeyHint, ...]:
        """The hints that fit, in their order.

        Those of low priority go first; last of all the labels of help and the way out.
        """
        kept = list(self._hints)
        while sum(_hint_width(hint) for hint in kept) > width:
            droppable = [hint for hint in kept if hint.action not in ALWAYS_SHOWN]
            if not droppable:
                return tuple(hint._replace(label="") for hint in kept)
            kept.remove(min(reversed(droppable), key=lambda hint: hint.priority))
        return tuple(kept)

    def line(self, width: int) -> Line:
        """`` enter open  / filter  ? help``."""
        cells: list[Cell] = []
        for hint in self.fitting(width):
            cells.append(Cell(f" {hint.key}", Tone.KEY))
            cells.append(Cell(f" {hint.label} " if hint.label else ""))
        return tuple(cells)

    def on_click(self, event: events.Click) -> None:
        """A click on a hint acts like its key."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        x = 0
        for hint in self.fitting(self.size.width):
            x += _hint_width(hint)
            if offset.x < x:
                self.post_message(self.Chosen(hint))
                return


def _hint_width(hint: KeyHint) -> int:
    return cell_len(hint.key) + 1 + (cell_len(hint.label) + 2 if hint.label else 0)
