"""Elapsed time on a monotonic clock."""

import time


def boot_time_s() -> float:
    """Seconds on a monotonic clock, including time in suspend where the system supports it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
