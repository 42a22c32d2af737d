"""Log lines: stored in bulk, searched by word, bounded by bytes.

Words are separated by spaces and punctuation, but may contain ``- _ . : /``, so that paths,
addresses and ids are one word. At a word's ends those characters do not count.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.logs import Level, LogGap, LogLine, LogQuery
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.telemetry.rolling import (
    Bounds,
    RollingConnection,
    RollingReader,
    RollingRow,
    RollingWriter,
    Value,
)

LOG_BOUNDS = Bounds(file_bytes=64 * 1024 * 1024, files=8, keep_ms=14 * 86_400_000)
MAX_WORDS = 16
"""Words of a query that are used."""

BUFFER_FULL = "more lines came than could be stored"
_BEGINNING = 0
_END = 2**62

_EDGES = re.compile(
    r"(?<![-_.:/])(?:"  # at the beginning of a run, which is scanned once however long it is
    r"(?<![^\W_])[-_.:/]++"  # no letter or digit before it
    r"|[-_.:/]++(?![^\W_])"  # none after it
    r")"
)
_MEANT, _ESCAPED = re.compile(r"([\\%_])"), r"\\\1"
"""Characters special to LIKE that are literal here."""
_WORD = re.compile(r"[0-9A-Za-z][-_.:/0-9A-Za-z]*\*?")


def line_row(line: LogLine | LogGap) -> RollingRow:
    """A line or gap as a row."""
    if isinstance(line, LogGap):
        counts = (1, line.lines, line.bytes)
        return (line.received_at_ms, line.source, 0, None, None, _storable(line.reason), *counts)
    return (
        line.received_at_ms,
        line.source,
        int(line.level),
        line.task,
        line.written_at_ms,
        _storable(line.text.raw),
        0,
        None,
        None,
    )


def _storable(text: str) -> str:
    """SQLite stores UTF-8; a lone surrogate becomes its visible escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


class LogConnection(RollingConnection):
    """Indexes the words of each line."""

    def index(self, rows: Sequence[RollingRow]) -> None:
        """Only real lines; a gap's reason is not searchable."""
        words = [(row[0], _EDGES.sub(" ", str(row[6]))) for row in rows if not row[7]]
        sqlite3.Connection.executemany(self, query("line_index"), words)


class LogWriter(RollingWriter):
    """Stores lines."""

    family = "logs"
    insert = "line_insert"
    usual = LOG_BOUNDS
    factory = LogConnection

    def __init__(self, directory: Path, bounds: Bounds) -> None:
        super().__init__(directory, bounds)
        self._unsaid = 0

    def write(self, lines: Sequence[LogLine | LogGap]) -> int:
        """Pass on lines; returns at once with the number dropped.

        A gap that counts the dropped ones is stored when there is space again.
        """
        if not lines:
            return 0
        rows = [line_row(line) for line in lines]
        if self._unsaid and self.room > 0:
            at_ms = lines[0].received_at_ms
            gap = LogGap(received_at_ms=at_ms, source=None, reason=BUFFER_FULL, lines=self._unsaid)
            rows.insert(0, line_row(gap))
            self._unsaid = 0
        rejected = self.offer(rows)
        self._unsaid += rejected
        return rejected


class LogReader(RollingReader):
    """Finds lines."""

    family = "logs"

    def query(self, wanted: LogQuery) -> list[LogLine]:
        """The newest matching lines, oldest first."""
        words, pattern = _search(_storable(wanted.words))
        path = "any"
        if words:
            path = "with_words"
        elif wanted.task is not None:
            path = "of_task"
        elif wanted.source is not None:
            path = "of_source"
        parameters: dict[str, Value] = {
            "source": None if wanted.source is None else _storable(wanted.source),
            "task": wanted.task,
            "level": int(wanted.level),
            "since": _BEGINNING if wanted.since_ms is None else wanted.since_ms,
            "until": _END if wanted.until_ms is None else wanted.until_ms,
            "after": _BEGINNING if wanted.after_line is None else wanted.after_line,
            "before": _END if wanted.before_line is None else wanted.before_line,
            "limit": wanted.limit,
            "words": words,
            "pattern": pattern,
            "contains": _like(_storable(wanted.contains)) if wanted.contains else None,
        }
        order = query("newest_word_first" if words else "newest_line_first")
        sql = f"{query(f'lines_{path}')} {query('line_filters')} {order}"
        found: list[LogLine] = []
        for _, rows in self.each_newest_first(sql, parameters):
            found.extend(_line(row) for row in rows)
            if len(found) >= wanted.limit:
                break
        return found[: wanted.limit][::-1]

    def after(
        self, line_id: int, limit: int, until_ms: int | None = None
    ) -> list[LogLine | LogGap]:
        """The next lines and gaps after a row, oldest first: for following."""
        until = _END if until_ms is None else until_ms
        parameters = (line_id, _BEGINNING, until, limit)
        found: list[LogLine | LogGap] = []
        for _, rows in self.each_oldest_first(query("lines_after"), parameters, after=line_id):
            found.extend(_line_or_gap(row) for row in rows)
            if len(found) >= limit:
                break
        return found[:limit]

    def between(self, since_ms: int, until_ms: int, page: int) -> Iterator[LogLine | LogGap]:
        """Every line and gap of a stretch of time, in the order they were stored."""
        after = _BEGINNING
        while True:
            last = after
            parameters = (after, since_ms, until_ms, page)
            for _, rows in self.each_oldest_first(query("lines_after"), parameters, after=after):
                for row in rows:
                    last = _int(row[0])
                    yield _line_or_gap(row)
                if rows:
                    break
            if last == after:
                return
            after = last


def _search(text: str) -> tuple[str | None, str | None]:
    """(full-text query, LIKE pattern) for the typed text; either may be None.

    The index splits text by an old edition of Unicode and omits standalone symbols, so words that
    are not plain ASCII, or have neither letter nor digit, are searched in the lines themselves;
    only the longest one.
    """
    terms: list[str] = []
    others: list[str] = []
    for typed in text.split()[:MAX_WORDS]:
        words = _WORD.findall(_EDGES.sub(" ", typed)) if typed.isascii() else []
        if not words:
            others.append(typed)
        for word in words:
            bare = word.rstrip("*")
            terms.append(f'"{bare}"*' if word.endswith("*") else f'"{bare}"')
    longest = max(others, key=len, default="")
    return " ".join(terms) or None, _like(longest) if longest else None


def _like(text: str) -> str:
    """The LIKE pattern for a literal text, anywhere in a line."""
    return f"%{_MEANT.sub(_ESCAPED, text)}%"


def _line(row: tuple[Value, ...]) -> LogLine:
    line_id, at, source, level, task, written_at, text = row[:7]
    return LogLine(
        received_at_ms=_int(at),
        source=None if source is None else AgentName(str(source)),
        level=Level(min(max(_int(level), Level.UNKNOWN), Level.ERROR)),
        text=Untrusted(str(text)),
        task=None if task is None else TaskId(str(task)),
        written_at_ms=None if written_at is None else _int(written_at),
        line_id=_int(line_id),
    )


def _line_or_gap(row: tuple[Value, ...]) -> LogLine | LogGap:
    if not row[7]:
        return _line(row)
    return LogGap(
        received_at_ms=_int(row[1]),
        source=None if row[2] is None else AgentName(str(row[2])),
        reason=str(row[6]),
        lines=None if row[8] is None else _int(row[8]),
        bytes=None if row[9] is None else _int(row[9]),
        line_id=_int(row[0]),
    )


def _int(value: Value) -> int:
    assert isinstance(value, int), value
    return value
