"""Numbers and times as people type them: ``10m`` ``1h30m`` ``80%`` ``12k`` ``$4`` ``12:00``."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_UNIT_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"

SPAN_PATTERN = "(?=[0-9])" + "".join(f"(?:{_PART}{unit})?" for unit in _UNIT_MS)
"""The one grammar of durations, in fleet files, options and filters: the largest unit first, each
once. Also a pattern of JSON Schema."""

_SPAN = re.compile(SPAN_PATTERN, re.ASCII)
_SPAN_PART = re.compile(f"({_PART})(ms|[dhms])", re.ASCII)
_SCALES = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "%": 1.0, "x": 1.0}
_NUMBER = re.compile(r"(\$?)(-?\d{1,15}(?:\.\d{1,9})?)([kMG%x]?)", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", re.ASCII)
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span_ms(text: str) -> float | None:
    """The milliseconds of ``500ms``, ``10m``, ``1.5h`` or ``1h30m``; None for anything else."""
    if _SPAN.fullmatch(text) is None:
        return None
    # Decimal, because 1.1 days are a whole number of milliseconds.
    parts = _SPAN_PART.findall(text)
    return float(sum(Decimal(number) * _UNIT_MS[unit] for number, unit in parts))


def number(text: str, unit: float = 1.0) -> float | None:
    """The number ``12``, ``12k``, ``80%``, ``3.1x`` or ``$4`` (dollars become microusd).

    ``unit`` is the scale of a number without a unit: 1,000 for seconds in milliseconds.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    value = float(found[2]) * _SCALES[found[3]]
    return value * 1e6 if found[1] else value * unit


def instant_ms(text: str, now_ms: int, offset_minutes: int = 0) -> int | None:
    """A moment: a span ago, the last ``12:00``, or ``2026-11-21T12:00``; None for anything else.

    Clock times are local: ``offset_minutes`` ahead of UTC.
    """
    if (ago_ms := span_ms(text)) is not None:
        return now_ms - int(ago_ms)
    offset_ms = offset_minutes * 60_000
    if (found := _TIME_OF_DAY.fullmatch(text)) is not None:
        of_day_ms = (int(found[1]) * 3_600 + int(found[2]) * 60 + int(found[3] or 0)) * 1_000
        midnight_ms = (now_ms + offset_ms) // _DAY_MS * _DAY_MS - offset_ms
        at_ms = midnight_ms + of_day_ms
        return at_ms if at_ms <= now_ms else at_ms - _DAY_MS
    if _DATE_TIME.fullmatch(text) is None:
        return None
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (local - _EPOCH) // timedelta(milliseconds=1) - offset_ms
