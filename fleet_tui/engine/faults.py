"""How often a unit of the engine may fail before the engine stops starting work."""

from collections import deque

MAX_FAULTS = 3
WINDOW_MS = 60_000
"""The window for MAX_FAULTS of one unit."""


class Faults:
    """Counts the faults of each unit."""

    def __init__(self) -> None:
        self._met: dict[str, deque[int]] = {}

    def met(self, unit: str, now_ms: int) -> int:
        """Count one; returns how many there were within the window, at most MAX_FAULTS + 1. Beyond
        MAX_FAULTS only one in each window counts again: a broken unit must not flood the ledger."""
        times = self._met.setdefault(unit, deque(maxlen=MAX_FAULTS))
        while times and times[0] <= now_ms - WINDOW_MS:
            times.popleft()
        if len(times) == MAX_FAULTS:
            return MAX_FAULTS + 1
        times.append(now_ms)
        return len(times)
