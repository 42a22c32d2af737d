"""Filters many log lines, a slice at a time.

A pattern may take a tenth of a millisecond per line, and there are twenty thousand lines: the
newest are searched first, and older matches are added as the search proceeds.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from fleet_tui.console.terminal.slices import Slices
from fleet_tui.console.views.logs.lines import LogEntry, log_matches
from fleet_tui.core.text.filters.filter import Filter


class Tell(Protocol):
    """Called for every entry found, and at the end of the search."""

    def __call__(self, *, is_done: bool) -> None:
        """Report it."""


class LogSearch:
    """Searches numbered entries; both ends may move meanwhile."""

    def __init__(
        self,
        entries: Callable[[], tuple[int, Sequence[LogEntry]]],
        tell: Tell,
    ) -> None:
        """``entries`` returns the number of the first entry held, and the entries."""
        self._entries = entries
        self._tell = tell
        self.wanted: Filter | None = None
        self.numbers: list[int] = []
        """Of the entries found, rising."""
        self._seen = range(0)
        """Numbers of the entries that were searched."""
        self._slices = Slices()

    @property
    def is_at_work(self) -> bool:
        """Whether there are entries that were not searched yet."""
        return self._slices.is_at_work

    def begin(self, wanted: Filter | None) -> None:
        """Start another search, or none."""
        self.wanted = wanted
        first, entries = self._entries()
        end = first + len(entries)
        self._slices.stop()
        self.numbers, self._seen = [], range(end, end)
        self.go_on()

    def go_on(self) -> None:
        """Continue with new entries."""
        if self.wanted is not None and not self._slices.is_at_work:
            self._slices.start(self._look(self.wanted))

    def forget_before(self, first: int) -> None:
        """Older entries are no longer held."""
        del self.numbers[: bisect_left(self.numbers, first)]

    def stop(self) -> None:
        """Stop searching."""
        self._slices.stop()

    def _look(self, wanted: Filter) -> Iterator[None]:
        """New entries first, then from the newest back."""
        while True:
            first, entries = self._entries()
            start, stop = max(first, self._seen.start), max(first, self._seen.stop)
            if stop < first + len(entries):
                number, self._seen = stop, range(start, stop + 1)
            elif start > first:
                number, self._seen = start - 1, range(start - 1, stop)
            else:
                break
            if log_matches(wanted, entries[number - first]):
                insort(self.numbers, number)
                self._tell(is_done=False)
            yield
        self._tell(is_done=True)
