"""The console's own memory while it runs: the history of places, and messages."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from fleet_tui.console.shell.messages import MAX_NOTICES, Notice
from fleet_tui.console.shell.places import OVERVIEW, TABS, Place
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.status import FleetStatus, summarize
from fleet_tui.core.tasks.open_work import OpenWork
from fleet_tui.feed.feed import View

MAX_LIVE_LINES = 5_000
"""Log lines kept for screens that are opened later; the log store keeps all."""

MAX_TRAIL = 100
"""Stacks of places to travel back to."""

MINUTE_MS = 60_000

WINDOWS_MS = tuple(m * MINUTE_MS for m in (5, 15, 30, 60, 360, 1_440))
"""The time windows that ``t`` cycles through."""

Stack = tuple[Place, ...]
"""A root and the drill-downs above it."""

_ROOTS = frozenset(tab.view for tab in TABS)


def is_root(place: Place) -> bool:
    """Whether a place replaces everything instead of going on top."""
    return place.view in _ROOTS and not place.subject


class Trail:
    """The history of places, back and forward."""

    def __init__(self) -> None:
        self._stacks: list[Stack] = [(OVERVIEW,)]
        self._at = 0

    @property
    def here(self) -> Stack:
        """The present stack."""
        return self._stacks[self._at]

    def visit(self, place: Place) -> Stack:
        """Go somewhere; the forward history is dropped."""
        here = self.here
        if is_root(place):
            stack: Stack = (place,)
        elif here[-1] == place:
            return here
        else:
            stack = (*here, place)
        return self._enter(stack)

    def up(self) -> Stack | None:
        """One drill-down less; None at a root."""
        return self._enter(self.here[:-1]) if len(self.here) > 1 else None

    def last(self) -> Stack | None:
        """The stack before this one, which becomes the last in turn; None if there is none."""
        return self._enter(self._stacks[self._at - 1]) if self._at else None

    def travel(self, steps: int) -> Stack | None:
        """Back or forward without changing the trail; None at its end."""
        at = self._at + steps
        if not 0 <= at < len(self._stacks):
            return None
        self._at = at
        return self.here

    def _enter(self, stack: Stack) -> Stack:
        if stack != self.here:
            self._stacks = [*self._stacks[: self._at + 1], stack][-MAX_TRAIL:]
            self._at = len(self._stacks) - 1
        return stack


class LineRing:
    """The newest log lines, numbered, so that every screen gets each of them once."""

    def __init__(self) -> None:
        self._lines: deque[LogLine | LogGap] = deque(maxlen=MAX_LIVE_LINES)
        self._newest_id = 0
        self.total = 0
        """Lines received so far."""

    def add(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Add new lines, oldest first."""
        fresh = [line for line in lines if not self._is_known(line)]
        ids = (line.line_id for line in fresh if isinstance(line, LogLine))
        self._newest_id = max(ids, default=self._newest_id)
        self._lines.extend(fresh)
        self.total += len(fresh)

    def _is_known(self, line: LogLine | LogGap) -> bool:
        """Whether a line is known: the store numbers its lines, and one read from it may be
        delivered again."""
        return isinstance(line, LogLine) and 0 < line.line_id <= self._newest_id

    def since(self, seen: int) -> Sequence[LogLine | LogGap]:
        """The lines after the first ``seen`` ones, as far as they are kept."""
        wanted = min(self.total - seen, len(self._lines))
        return list(islice(self._lines, len(self._lines) - wanted, None)) if wanted > 0 else ()


class Numbers:
    """The fleet's numbers, computed incrementally for every view."""

    def __init__(self) -> None:
        self._work = OpenWork()

    def of(self, view: View) -> FleetStatus:
        """The numbers of a view."""
        return summarize(view.state, view.now_ms, view.samples, self._work)


class Notices:
    """Messages shown to the operator, newest last."""

    def __init__(self) -> None:
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)

    def add(self, notice: Notice) -> None:
        """Keep one."""
        self._notices.append(notice)

    def __iter__(self) -> Iterator[Notice]:
        return iter(tuple(self._notices))

    def __len__(self) -> int:
        return len(self._notices)
