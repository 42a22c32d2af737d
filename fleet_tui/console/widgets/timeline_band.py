"""The band of a recording: full width under the header, so that the past is never mistaken for the
present."""

from textual import events
from textual.message import Message
from textual.strip import Strip

from fleet_tui.console.shell.timeline import BandView, band_lines, bar_width, instant
from fleet_tui.console.text.glyphs import UNICODE, Glyphs
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.feed.feed import Timeline

BAND_LINES = 2
CURVE_POINTS = 240
"""Points of the queue's curve: more than the widest usual terminal has places."""

_LEFT = 7
"""Cells before the bar: the time the recording begins."""


class TimelineBand(Painted):
    """Two lines: the queue over time with notable events and the cursor, and what the signs are."""

    DEFAULT_CSS = """
    TimelineBand { height: 2; background: $panel; display: none; }
    """

    class Chosen(Message):
        """A click on an instant."""

        def __init__(self, at_ms: int) -> None:
            super().__init__()
            self.at_ms = at_ms

    def __init__(
        self, *, glyphs: Glyphs = UNICODE, offset_minutes: int = 0, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._offset_minutes = offset_minutes
        self._moment: BandView | None = None
        self._drawn: tuple[Timeline, BandView] | None = None
        """The parts that do not change during a review: the curve and the marks."""

    def show(self, moment: BandView) -> None:
        """Show another moment; nothing is repainted if it looks the same."""
        if moment != self._moment:
            self._moment = moment
            self.refresh()

    def show_timeline(self, timeline: Timeline, at_ms: int) -> None:
        """Show the position in a recording; its curve and marks are read once, when it is
        opened."""
        if not timeline.end_ms:
            return
        if self._drawn is None or self._drawn[0] is not timeline:
            fixed = BandView(
                timeline.start_ms,
                timeline.end_ms,
                at_ms,
                depth=timeline.depth_curve(CURVE_POINTS),
                marks=tuple(timeline.marks()),
            )
            self._drawn = (timeline, fixed)
        moment = self._drawn[1]._replace(
            at_ms=at_ms, playing=timeline.playing, speed=timeline.speed
        )
        self.show(moment)

    def on_click(self, event: events.Click) -> None:
        """A click on the bar goes to that instant."""
        offset = event.get_content_offset(self)
        room = bar_width(self.size.width)
        if offset is None or self._moment is None or not 0 <= offset.x - _LEFT < room:
            return
        self.post_message(self.Chosen(instant(offset.x - _LEFT, self._moment, room)))

    def render_line(self, y: int) -> Strip:
        """The bar, then its legend."""
        width = self.size.width
        if self._moment is None or y > 1:
            return self.paint((), width)
        lines = band_lines(self._moment, width, self._glyphs, self._offset_minutes)
        return self.paint(lines[y], width)
