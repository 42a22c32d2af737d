"""Shared by all line-painting widgets: tones, cells, and how they become strips.

A :class:`Cell` is already safe text (see :mod:`fleet_tui.core.text.firewall`) with a meaning, never
a colour: the theme decides how a tone looks, in 16 million colours or in none. Nothing here parses
markup.
"""

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.css.styles import RenderStyles
from textual.dom import DOMNode
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.fit import line_width
from fleet_tui.core.text.firewall import safe_line

REVIEW_CLASS = "-review"
"""The class of a screen that shows a recording."""

ASCII_CLASS = "-ascii"
"""The class of an application that draws only with ASCII."""

ASCII_SIGNS = {ord("…"): "~", ord("·"): "-"}
"""Our own punctuation where only ASCII is drawn; what agents write stays as it is."""

MOVES_TIME_IN_REVIEW = frozenset({"end", "sort_next"})
"""Actions of widgets that leave their keys to the screen there."""


class Painted(Widget):
    """A widget that paints tones line by line."""

    ALLOW_SELECT = False
    """Text can be selected with the mouse only where a widget provides it."""

    DEFAULT_CSS = """
    Painted {
        & > .tone--ok { color: $success; }
        & > .tone--warn { color: $warning; }
        & > .tone--error { color: $error; }
        & > .tone--busy { color: $secondary; }
        & > .tone--dim { color: $foreground-muted; }
        & > .tone--accent { color: $primary; }
        & > .tone--key { color: $accent; text-style: bold; }
        & > .tone--title { text-style: bold; }
        & > .tone--match { color: $warning; text-style: bold underline; }
        & > .tone--mark { background: $boost; text-style: bold; }
        & > .tone--cursor { text-style: reverse; }
        & > .tone--cursor-blurred { background: $panel; text-style: bold; }
        & > .tone--badge { color: $primary; text-style: bold reverse; }
        & > .tone--danger { color: $error; text-style: bold reverse; }
        &:ansi > .tone--dim { text-style: dim; }
        &:ansi > .tone--mark { text-style: bold underline; }
        &:ansi > .tone--cursor-blurred { text-style: underline; }
        &:nocolor > .tone--warn { text-style: bold; }
        &:nocolor > .tone--error { text-style: bold reverse; }
    }
    """

    _is_stale = False
    _theme = ""
    """The theme whose tones were last used."""

    def set_stale(self, stale: bool) -> None:
        """The data may be outdated: everything is dim until it is current again."""
        if stale != self._is_stale:
            self._is_stale = stale
            self.notify_style_update()
            self.refresh()

    def on_focus(self) -> None:
        """It looks different with the focus."""
        self.show_focus()

    def on_blur(self) -> None:
        """It looks different without the focus."""
        self.show_focus()

    def show_focus(self) -> None:
        """Show whether it has the focus."""
        self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key of this widget is active: in a recording some move through time instead."""
        if action in MOVES_TIME_IN_REVIEW and self.screen.has_class(REVIEW_CLASS):
            return False
        return super().check_action(action, parameters)

    def get_component_styles(self, *names: str) -> RenderStyles:
        """The rules of a tone, computed at its first use after styles changed.

        As ``COMPONENT_CLASSES`` all of them would be worked out at every change of every widget,
        which was half of the time to start and to go from screen to screen.
        """
        self._theme = self.app.theme
        node = DOMNode(classes=" ".join(names))
        node._attach(self)
        self.app.stylesheet.apply(node)
        return node.styles

    def notify_style_update(self) -> None:
        """Tones depend on the theme only: with another one, cached output is invalid."""
        super().notify_style_update()
        if self._theme and self._theme != self.app.theme:
            self.refresh()

    def tone_style(self, tone: Tone) -> Style:
        """How a tone looks in the present theme, over the widget's own style."""
        return self.get_component_rich_style(f"tone--{tone}")

    def tone_change(self, tone: Tone) -> Style:
        """Only what a tone changes, to lay over another style (cursor, match)."""
        return self.get_component_rich_style(f"tone--{tone}", partial=True)

    def paint(self, cells: Iterable[Cell], width: int, over: Style | None = None) -> Strip:
        """A strip of exactly ``width`` cells; ``over`` is laid over every piece and the rest."""
        pieces = tuple(cells)
        if (missing := width - line_width(pieces)) > 0:
            pieces = (*pieces, Cell(" " * missing))
        plain = self.rich_style if over is None else self.rich_style + over
        return Strip(self.segments(pieces, over)).adjust_cell_length(width, plain).simplify()

    def segments(self, cells: Iterable[Cell], over: Style | None = None) -> list[Segment]:
        """The pieces as styled segments of whatever width they have.

        Neighbours of one tone become one segment: each costs a colour sequence on the wire.
        """
        texts: list[list[str]] = []
        tones: list[Tone] = []
        for text, tone in cells:
            # A second check: callers made the text safe; a mistake must not reach the terminal.
            shown = text if text.isprintable() else safe_line(text)
            if not shown.isascii() and self.app.has_class(ASCII_CLASS):
                shown = shown.translate(ASCII_SIGNS)
            if tones and tones[-1] is tone:
                texts[-1].append(shown)
            else:
                texts.append([shown])
                tones.append(tone)
        return [
            Segment("".join(parts), self._style(tone, over))
            for parts, tone in zip(texts, tones, strict=True)
        ]

    def _style(self, tone: Tone, over: Style | None) -> Style:
        if self._is_stale:
            tone = Tone.DIM
        style = self.rich_style if tone is Tone.PLAIN else self.tone_style(tone)
        return style if over is None else style + over

    def refresh_row(self, y: int) -> None:
        """Repaint one line of the content, counted from its top."""
        self.refresh(Region(0, y, self.size.width, 1))


def overlay(
    segments: Sequence[Segment], spans: Iterable[tuple[int, int]], style: Style
) -> list[Segment]:
    """The segments with ``style`` laid over the character ranges ``[start, end)``.

    Ranges must be in order and must not overlap; what lies outside the text is ignored.
    """
    painted: list[Segment] = []
    todo = list(spans)
    at = 0
    for text, own, _ in segments:
        base = own or Style()
        end = at + len(text)
        position = at
        while todo and todo[0][0] < end:
            first, last = max(todo[0][0], position), min(todo[0][1], end)
            if first > position:
                painted.append(Segment(text[position - at : first - at], base))
            if last > first:
                painted.append(Segment(text[first - at : last - at], base + style))
                position = last
            if todo[0][1] > end:
                break
            todo.pop(0)
        if position < end:
            painted.append(Segment(text[position - at :], base))
        at = end
    return painted


def between(segments: list[Segment], start: int, end: int | None) -> list[Segment]:
    """The characters from ``start`` to ``end`` of a line of segments."""
    kept: list[Segment] = []
    at = 0
    for text, style, _ in segments:
        first = max(0, start - at)
        last = len(text) if end is None else end - at
        if piece := text[first : max(first, last)]:
            kept.append(Segment(piece, style))
        at += len(text)
    return kept
