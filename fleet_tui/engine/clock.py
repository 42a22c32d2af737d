"""The wall clock as a port, so that simulations bring their own."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the engine gets the time from. Waiting is the event loop's business."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC. For records and deadlines across restarts."""
        ...


class WallClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000
