"""How much time went by, on a clock that nobody sets."""

import time


def boot_time_s() -> float:
    """Seconds on a clock that nobody sets. It counts a suspended machine's time where it can."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
