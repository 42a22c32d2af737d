"""Numbers that an agent reports, accepted only if plausible: JSON and text may contain 1e300, or an
integer of 400 digits, which no file can hold."""

import re

COUNT = r"(?:0|[1-9][0-9]{0,14})"
"""A whole number as our own scripts write it, below 10**15."""

_IS_COUNT = re.compile(COUNT)

MAX_COUNT = 2**53
"""Larger numbers are not counts of anything."""


def count(number: float | None) -> int | None:
    """A count, or None where it is invalid."""
    believed = finite(number)
    return None if believed is None else int(believed)


def written_count(word: str) -> int | None:
    """A whole number as our own scripts write it; None for anything else."""
    return int(word) if _IS_COUNT.fullmatch(word) else None


def finite(number: float | None) -> float | None:
    """A measured amount (never negative), or None where it is invalid."""
    return number if number is not None and 0 <= number <= MAX_COUNT else None


def percent_used(total: float | None, free: float | None) -> float | None:
    """The used percentage of an amount, 0 to 100; None where it is not reported."""
    total, free = finite(total), finite(free)
    if not total or free is None:
        return None
    return 100 * min(1.0, max(0.0, 1 - free / total))
