"""The histogram of log lines: their number in each interval, warnings and errors separate."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from textual import events
from textual.message import Message

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.text.glyphs import Glyphs
from fleet_tui.console.views.block import Block
from fleet_tui.console.views.logs.lines import LogEntry
from fleet_tui.console.widgets.spark import chart_lines
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.text import words

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000

STEPS_MS = (
    *(seconds * SECOND_MS for seconds in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(minutes * MINUTE_MS for minutes in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 4, 6, 8, 12, 24)),
)
"""Possible intervals of one column; beyond, whole days."""

LABEL_WIDTH = 6
TOTALS_WIDTH = 20
"""Cells to the right of the columns: ``  1 204  most 92``."""


class Histogram(NamedTuple):
    """Lines counted by when we received them, in equal intervals, oldest first."""

    start_ms: int
    """Start of the first interval; all start at a whole multiple of ``step_ms``."""
    step_ms: int
    every: Sequence[int]
    """Lines of any level."""
    warnings: Sequence[int]
    errors: Sequence[int]
    gaps: Sequence[int]
    """Places where lines were lost on the way."""

    def column(self, at_ms: int) -> int | None:
        """The interval of an instant; None outside."""
        at = (at_ms - self.start_ms) // self.step_ms
        return at if 0 <= at < len(self.every) else None


def count_lines(entries: Iterable[LogEntry], columns: int, until_ms: int) -> Histogram | None:
    """Count entries from the first one to ``until_ms`` in at most ``columns`` intervals.

    None without entries. Entries after ``until_ms`` extend the span.
    """
    found = list(entries)
    if not found or columns <= 0:
        return None
    instants = [entry.received_at_ms for entry in found]
    first, last = min(instants), max(until_ms, *instants)
    step = _step_ms(first, last, columns)
    begin = first // step
    size = last // step - begin + 1
    every, warnings, errors, gaps = ([0] * size for _ in range(4))
    for entry in found:
        at = entry.received_at_ms // step - begin
        if not isinstance(entry, LogLine):
            gaps[at] += 1
            continue
        every[at] += 1
        if entry.level is Level.ERROR:
            errors[at] += 1
        elif entry.level is Level.WARN:
            warnings[at] += 1
    return Histogram(begin * step, step, every, warnings, errors, gaps)


def _step_ms(first: int, last: int, columns: int) -> int:
    """The shortest interval of which ``columns`` cover the first instant to the last."""
    for step in STEPS_MS:
        if last // step - first // step < columns:
            return step
    days = 2
    while last // (days * DAY_MS) - first // (days * DAY_MS) >= columns:
        days *= 2
    return days * DAY_MS


def chart_width(width: int) -> int:
    """Columns that fit next to the labels and the totals."""
    return max(0, width - LABEL_WIDTH - TOTALS_WIDTH)


def height_for(room: int) -> int:
    """Lines of the histogram where the pane has ``room``: the log lines keep most of it."""
    if room < 8:
        return 1
    return 4 if room < 12 else 5 if room < 24 else 7


def histogram_lines(
    counted: Histogram,
    width: int,
    height: int,
    *,
    glyphs: Glyphs,
    offset_minutes: int = 0,
    here_ms: int | None = None,
) -> list[Line]:
    """A row of columns for all lines, for warnings and for errors, each with its total and its
    largest column; below them the time. ``here_ms`` points at one column and shows its counts.

    Every row is scaled to its own largest column, so that one error stands out among a thousand
    lines. With one line of ``height`` there is only the first row.
    """
    rows = [("all", counted.every, Tone.PLAIN), ("warn", counted.warnings, Tone.WARN)]
    rows.append(("error", counted.errors, Tone.ERROR))
    if any(counted.gaps) and height > len(rows) + 1:
        rows.append(("lost", counted.gaps, Tone.WARN))
    columns = chart_width(width)
    if height < len(rows) + 1:
        return _row(*rows[0], columns, 1, glyphs)
    tall = height - len(rows)
    lines = _row(*rows[0], columns, tall, glyphs)
    for row in rows[1:]:
        lines += _row(*row, columns, 1, glyphs)
    return [*lines, _time_line(counted, columns, glyphs, offset_minutes, here_ms)]


def _row(
    word: str, counts: Sequence[int], tone: Tone, columns: int, tall: int, glyphs: Glyphs
) -> list[Line]:
    total, most = sum(counts), max(counts)
    said = f" {words.grouped(total):>7}" + (f"  most {words.grouped(most)}" if most else "")
    loud = tone if total else Tone.DIM
    chart = chart_lines(counts, columns, tall, glyphs=glyphs)
    lines: list[Line] = [(Cell(" " * LABEL_WIDTH), Cell(line, loud)) for line in chart[:-1]]
    return [*lines, (Cell(f"{word:<{LABEL_WIDTH}}", loud), Cell(chart[-1], loud), Cell(said, loud))]


def _time_line(
    counted: Histogram, columns: int, glyphs: Glyphs, offset_minutes: int, here_ms: int | None
) -> Line:
    """When the columns begin and end, or the content of the selected one."""
    step = Cell(f"  {words.about(counted.step_ms)} a column", Tone.DIM)
    empty = columns - len(counted.every)
    column = None if here_ms is None else counted.column(here_ms)
    if column is not None:
        shown = fit(
            _here(counted, column, empty + column, columns, glyphs, offset_minutes), columns
        )
        return (Cell(" " * LABEL_WIDTH), Cell(shown, Tone.ACCENT), step)
    first = words.clock(counted.start_ms, offset_minutes)
    last = words.clock(counted.start_ms + len(counted.every) * counted.step_ms, offset_minutes)
    if len(counted.every) < len(first) + len(last) + 1:
        text = fit("", max(0, columns - len(first) - len(last) - 3)) + f"{first} - {last}"
    else:
        text = " " * empty + first + " " * (columns - empty - len(first) - len(last)) + last
    return (Cell(" " * LABEL_WIDTH), Cell(text, Tone.DIM), step)


def _here(
    counted: Histogram, column: int, x: int, columns: int, glyphs: Glyphs, offset_minutes: int
) -> str:
    """``▴ 12:17:30  92 lines, 3 error``: the sign at ``x``, the text on the side with space."""
    at = words.clock(counted.start_ms + column * counted.step_ms, offset_minutes)
    parts = [f"{at}  {words.plural(counted.every[column], 'line')}"]
    parts += [f"{counted.warnings[column]} warn"] if counted.warnings[column] else []
    parts += [f"{counted.errors[column]} error"] if counted.errors[column] else []
    said = ", ".join(parts)
    if x + 2 + len(said) <= columns or x <= len(said):
        return f"{' ' * x}{glyphs.sort_ascending} {said}"
    return f"{said:>{x - 1}} {glyphs.sort_ascending}"


class LogHistogram(Block):
    """The histogram above log lines; a click on a column goes to its first line."""

    DEFAULT_CSS = """
    LogHistogram { display: none; height: 1; }
    """

    class Chosen(Message):
        """A click on a column: its interval, without the end."""

        def __init__(self, start_ms: int, end_ms: int) -> None:
            super().__init__()
            self.start_ms, self.end_ms = start_ms, end_ms

    def __init__(self) -> None:
        super().__init__()
        self._counted: Histogram | None = None

    def show_counted(
        self,
        counted: Histogram | None,
        room: int,
        glyphs: Glyphs,
        offset_minutes: int,
        here_ms: int | None,
    ) -> None:
        """Show counts above log lines, which together have ``room`` lines."""
        self._counted = counted
        height = height_for(room)
        self.styles.height = height
        if counted is None:
            self.show([(Cell("No lines to count.", Tone.DIM),)])
            return
        self.show(
            histogram_lines(
                counted,
                self.size.width,
                height,
                glyphs=glyphs,
                offset_minutes=offset_minutes,
                here_ms=here_ms,
            )
        )

    def on_click(self, event: events.Click) -> None:
        """Go to the lines of a column."""
        event.stop()
        offset, counted = event.get_content_offset(self), self._counted
        if offset is None or counted is None:
            return
        columns = chart_width(self.size.width)
        column = offset.x - LABEL_WIDTH - (columns - len(counted.every))
        if 0 <= column < len(counted.every):
            start_ms = counted.start_ms + column * counted.step_ms
            self.post_message(self.Chosen(start_ms, start_ms + counted.step_ms))
