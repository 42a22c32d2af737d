"""Log lines buffered until the console takes them."""

from collections.abc import Sequence

from fleet_tui.core.logs import LogGap, LogLine

TOO_MANY = "more lines than the console could show"


class Untaken:
    """The newest ``limit`` lines; a gap before them counts the older ones that were dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: list[LogLine | LogGap] = []
        self._dropped = 0

    def add(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Append lines."""
        self._lines.extend(lines)
        extra = len(self._lines) - self._limit
        if extra > 0:
            del self._lines[:extra]
            self._dropped += extra

    def skip(self, count: int) -> None:
        """Count that many next lines as dropped without reading them: newer ones would push them
        out."""
        self._dropped += len(self._lines) + count
        self._lines = []

    def restart(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Replace the buffered lines by these."""
        self._lines = list(lines)
        self._dropped = 0

    def take(self) -> list[LogLine | LogGap]:
        """Return the buffered lines, oldest first, and empty the buffer."""
        lines, dropped = self._lines, self._dropped
        self._lines, self._dropped = [], 0
        if dropped:
            at_ms = lines[0].received_at_ms if lines else 0
            gap = LogGap(received_at_ms=at_ms, source=None, reason=TOO_MANY, lines=dropped)
            lines.insert(0, gap)
        return lines
