"""The wall clock as a port, so that simulations can supply their own."""

import time
from collections.abc import Callable
from typing import Protocol

from fleet_tui.base.stopwatch import boot_time_s

SLEW = 0.05
"""How much faster or slower than real a :class:`SteadyClock` may go to catch up with the wall."""


class Clock(Protocol):
    """The engine's source of time. Waiting is left to the event loop."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC. For records and deadlines across restarts."""
        ...


class WallClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


class SteadyClock:
    """Wall time without its jumps, used for deadlines and records.

    Setting the machine's clock neither ends a deadline nor extends it. The difference is made up
    slowly, by SLEW of the elapsed time, and never backwards.
    """

    def __init__(
        self, wall: Clock, elapsed_s: Callable[[], float] = boot_time_s, *, not_before_ms: int = 0
    ) -> None:
        """``elapsed_s`` never jumps. ``not_before_ms`` is the latest instant in the ledger: time
        does not go back before it."""
        self._wall = wall
        self._elapsed_s = elapsed_s
        self._seen_s = elapsed_s()
        self._now_ms = float(max(wall.now_ms(), not_before_ms))

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC, as far as the wall clock can be trusted."""
        seen_s = self._elapsed_s()
        passed_ms = (seen_s - self._seen_s) * 1_000
        self._seen_s = seen_s
        behind_ms = self._wall.now_ms() - (self._now_ms + passed_ms)
        most_ms = SLEW * passed_ms
        self._now_ms += passed_ms + max(-most_ms, min(most_ms, behind_ms))
        return int(self._now_ms)
