"""Numbers that an agent tells, each believed only where it can be one: JSON and text may say 1e300,
or an integer of 400 digits, which no file can hold."""

MAX_COUNT = 2**53
"""Larger numbers are not counts of anything."""


def count(number: float | None) -> int | None:
    """A number of things, or None where it cannot be one."""
    believed = finite(number)
    return None if believed is None else int(believed)


def finite(number: float | None) -> float | None:
    """A measured amount (never negative), or None where it cannot be one."""
    return number if number is not None and 0 <= number <= MAX_COUNT else None
