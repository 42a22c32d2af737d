"""Review: the source of recordings, and the timeline band of a recording.

The band is built as plain lines so that it can be tested and printed; the widget only paints it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.glyphs import UNICODE, Glyphs
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.quantities import instant_ms, span_ms
from fleet_tui.feed.feed import Feed, Session, Timeline
from fleet_tui.feed.marks import Mark

MIN_BAND_WIDTH = 24
"""Below this there is only space for the times."""

_MINUTE_MS = 60_000


class ReviewFeed(Feed, Timeline, Protocol):
    """A recording: a feed that can be moved through time and can never act."""


class SessionSource(Protocol):
    """The source of earlier sessions and recording files. The command line provides one."""

    async def sessions(self) -> Sequence[Session]:
        """All of them, newest first. Raises fleet_tui.base.errors.FleetError when they cannot be
        read."""
        ...

    async def open(self, session: Session) -> ReviewFeed:
        """An opened feed of that session, paused at its end.

        Raises fleet_tui.base.errors.FleetError when the recording cannot be read or is damaged.
        """
        ...


class BandView(NamedTuple):
    """Everything the band shows."""

    start_ms: int
    end_ms: int
    at_ms: int
    """The cursor: the instant the screen shows."""
    depth: Sequence[int] = ()
    """Waiting tasks over time, in equal intervals."""
    marks: Sequence[tuple[int, Mark]] = ()
    """(instant, mark)."""
    playing: bool = False
    speed: float = 1.0


class Drawn(NamedTuple):
    """How a mark is drawn on the band."""

    word: str
    sign: str
    ascii: str
    tone: Tone
    rank: int
    """Of several at one place the highest is shown."""


MARKS: Mapping[Mark, Drawn] = {
    Mark.NOTE: Drawn("note", "■", "N", Tone.ACCENT, 5),
    Mark.ALERT: Drawn("alert", "▼", "A", Tone.ERROR, 4),
    Mark.HEALTH: Drawn("health", "◆", "H", Tone.WARN, 3),
    Mark.FAILED: Drawn("failed task", "✗", "X", Tone.ERROR, 2),
    Mark.ENGINE: Drawn("engine", "•", "o", Tone.DIM, 1),
}


def place(at_ms: int, moment: BandView, width: int) -> int:
    """The place of an instant among ``width`` places; instants outside go to the ends."""
    span = max(1, moment.end_ms - moment.start_ms)
    at = (at_ms - moment.start_ms) * (width - 1) / span
    return max(0, min(width - 1, round(at)))


def instant(x: int, moment: BandView, width: int) -> int:
    """The instant at a place: the inverse of :func:`place`."""
    if width <= 1:
        return moment.start_ms
    span = moment.end_ms - moment.start_ms
    return moment.start_ms + round(span * max(0, min(width - 1, x)) / (width - 1))


def bar_width(width: int) -> int:
    """Places of the band's bar when the whole band has ``width`` cells: the rest is two times."""
    return max(0, width - 2 * _TIME_WIDTH)


_TIME_WIDTH = 7
""" ``12:04`` and a space on each side."""


def band_lines(
    moment: BandView, width: int, glyphs: Glyphs = UNICODE, offset_minutes: int = 0
) -> tuple[Line, Line]:
    """The two lines of the band: the queue's curve with its marks, and what they mean."""
    first = words.clock_minutes(moment.start_ms, offset_minutes)
    last = words.clock_minutes(moment.end_ms, offset_minutes)
    if width < MIN_BAND_WIDTH:
        return (Cell(f" {first} - {last}"),), ()
    room = bar_width(width)
    bar = _bar(moment, room, glyphs)
    top = (Cell(f" {first} ", Tone.DIM), *bar, Cell(f" {last} ", Tone.DIM))
    return top, _legend(moment, width, room, glyphs)


def _bar(moment: BandView, room: int, glyphs: Glyphs) -> Line:
    """One cell per place: mark over curve, the cursor over everything."""
    cells = [Cell(sign, Tone.DIM) for sign in _curve(moment.depth, room, glyphs)]
    ranks = [0] * room
    for at_ms, mark in moment.marks:
        shown = MARKS[mark]
        at = place(at_ms, moment, room)
        if shown.rank > ranks[at]:
            ranks[at] = shown.rank
            cells[at] = Cell(_sign(shown, glyphs), shown.tone)
    cells[place(moment.at_ms, moment, room)] = Cell(glyphs.separator, Tone.CURSOR)
    return tuple(cells)


def _sign(shown: Drawn, glyphs: Glyphs) -> str:
    return shown.ascii if glyphs.is_ascii else shown.sign


def _curve(depth: Sequence[int], room: int, glyphs: Glyphs) -> str:
    """The queue's depth at each place: the maximum in its interval; a rule where nothing waited."""
    if not depth or max(depth) == 0:
        return glyphs.rule * room
    values: list[int] = []
    for at in range(room):
        start = at * len(depth) // room
        end = max(start + 1, (at + 1) * len(depth) // room)
        values.append(max(depth[start:end]))
    drawn = glyphs.spark(values)
    return "".join(glyphs.rule if value == 0 else sign
                   for value, sign in zip(values, drawn, strict=True))  # fmt: skip


def _legend(moment: BandView, width: int, room: int, glyphs: Glyphs) -> Line:
    """``you are here`` under the cursor; around it the legend of the signs and the total length."""
    x = _TIME_WIDTH + place(moment.at_ms, moment, room)
    here = "you are here"
    start = max(1, min(x - len(here) // 2, width - len(here) - 1))
    names = _names(moment, glyphs)
    span = f"recorded, {words.duration(words.elapsed_ms(moment.start_ms, moment.end_ms))}"
    left_room, right_room = start - 4, width - start - len(here) - 4
    left = names if len(names) <= left_room else ""
    right = names if not left and len(names) <= right_room else span
    right = right if len(right) <= right_room else ""
    gap = " " * max(0, start - 1 - len(left))
    tail = " " * max(0, width - start - len(here) - len(right) - 1)
    return (
        Cell(f" {left}{gap}", Tone.DIM),
        Cell(here, Tone.TITLE),
        Cell(f"{tail}{right}", Tone.DIM),
    )


def _names(moment: BandView, glyphs: Glyphs) -> str:
    """``▂ queue  ▼ alert  ◆ health``: only what is there."""
    named = [f"{glyphs.steps[2]} queue"] if any(moment.depth) else []
    drawn = {MARKS[mark] for _, mark in moment.marks}
    for shown in sorted(drawn, key=lambda k: -k.rank):
        named.append(f"{_sign(shown, glyphs)} {shown.word}")
    return "  ".join(named)


def parse_moment(text: str, moment: BandView, offset_minutes: int = 0) -> int | str:
    """An instant from typed text, or an error message.

    ``11:58`` and ``11:58:10`` (the most recent such time), ``-5m`` and ``+30s`` (from the cursor),
    ``2026-11-21T11:58``, ``start``, ``end``.
    """
    typed = text.strip()
    match typed.lower():
        case "start":
            return moment.start_ms
        case "end":
            return moment.end_ms
        case _:  # a time, read below
            pass
    if typed[:1] in ("+", "-") and (span := span_ms(typed[1:])) is not None:
        moved = moment.at_ms + (span if typed[0] == "+" else -span)
        return int(max(moment.start_ms, min(moment.end_ms, moved)))
    wanted = None if span_ms(typed) else instant_ms(typed, moment.end_ms, offset_minutes)
    if wanted is None:
        shown = safe_line(typed, 24) or "nothing typed"
        return f"not a time: {shown} (11:58, 11:58:10, -5m, +30s, start, end)"
    if not moment.start_ms - _MINUTE_MS < wanted <= moment.end_ms:
        first = words.date_clock(moment.start_ms, offset_minutes)
        last = words.clock(moment.end_ms, offset_minutes)
        return f"outside the recording: {first} to {last}"
    return max(moment.start_ms, wanted)
