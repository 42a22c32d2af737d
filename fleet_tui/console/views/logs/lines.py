"""The format of a log line, and its values in filters."""

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.text.looks import level_tone
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.filters.filter import Filter
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.words import clock_ms, grouped, plural

LogEntry = LogLine | LogGap

_SOURCE_WIDTH = 8
_TASK_WIDTH = 8


def log_cells(entry: LogEntry, offset_minutes: int = 0, source_width: int = _SOURCE_WIDTH) -> Line:
    """``12:04:28.310 ERROR agent-14 t-48205  text``; everything but the text is our own."""
    at = Cell(clock_ms(entry.received_at_ms, offset_minutes) + " ", Tone.DIM)
    source = fit(safe_line(entry.source or "fleet"), source_width)
    match entry:
        case LogLine():
            word = "-" if entry.level is Level.UNKNOWN else entry.level.name
            task = fit(safe_line(entry.task or "-"), _TASK_WIDTH)
            return (
                at,
                Cell(f"{word:<5} ", level_tone(entry.level)),
                Cell(f"{source} {task} "),
                Cell(safe_line(entry.text), Tone.DIM if entry.level < Level.INFO else Tone.PLAIN),
            )
        case LogGap():
            lost = "lines" if entry.lines is None else plural(entry.lines, "line")
            size = "" if entry.bytes is None else f" ({grouped(entry.bytes)} bytes)"
            text = f"{lost} lost{size}: {safe_line(entry.reason)}"
            return (at, Cell("GAP   ", Tone.WARN), Cell(f"{source} "), Cell(text, Tone.WARN))


def log_value(entry: LogEntry, key: str) -> Value:
    """An entry's value for the filter keys ``agent level task at``; None for other keys."""
    match key:
        case "agent":
            return entry.source or "fleet"
        case "at":
            return float(entry.received_at_ms)
        case "level" if isinstance(entry, LogLine):
            return entry.level.name
        case "task" if isinstance(entry, LogLine):
            return entry.task
        case _:  # a key of other lists only
            return None


def is_error(entry: LogEntry) -> bool:
    """Whether an entry is about a failure."""
    return isinstance(entry, LogLine) and entry.level is Level.ERROR


def log_matches(wanted: Filter, entry: LogEntry) -> bool:
    """Whether an entry passes a filter."""
    text = entry.text.raw if isinstance(entry, LogLine) else entry.reason
    return wanted.matches(lambda key: log_value(entry, key), text)
