"""Formatting of numbers and times: one format everywhere, always with a unit.

Pure formatting. ``None`` is written as :data:`MISSING`: unknown is not zero.
"""

from datetime import UTC, datetime, timedelta

MISSING = "-"

_SECOND_MS = 1_000
_MINUTE_MS = 60 * _SECOND_MS
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS

MAX_INSTANT_MS = 253_402_300_799_999
"""The last millisecond of the year 9999; instants outside 1970-9999 are written as ``?``."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration(ms: float | None) -> str:
    """A span in its two largest units: ``42s``, ``3m04s``, ``1h05m``, ``2d04h``; or ``-5s``."""
    if ms is None:
        return MISSING
    if ms <= -_SECOND_MS:
        return "-" + duration(-ms)
    seconds = max(0, int(ms / _SECOND_MS))
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02d}h"


def about(ms: float | None) -> str:
    """A span in its largest unit, for estimates: ``20s``, ``6m``, ``3h``, ``2d``."""
    if ms is None:
        return MISSING
    for unit_ms, unit in ((_DAY_MS, "d"), (_HOUR_MS, "h"), (_MINUTE_MS, "m")):
        if ms >= unit_ms:
            return f"{int(ms / unit_ms)}{unit}"
    return f"{max(0, int(ms / _SECOND_MS))}s"


def latency(ms: float | None) -> str:
    """A measured time: ``412ms``, ``1.8s``, from 100 s on as :func:`duration`."""
    if ms is None:
        return MISSING
    if ms < 999.5:
        return f"{max(0.0, ms):.0f}ms"
    if ms < 99_950:
        return f"{ms / _SECOND_MS:.1f}s"
    return duration(ms)


def seconds(ms: float | None) -> str:
    """A measured time in columns that compare: always ``0.7s``, from 100 s on :func:`duration`."""
    if ms is None:
        return MISSING
    return f"{max(0.0, ms / _SECOND_MS):.1f}s" if ms < 99_950 else duration(ms)


def elapsed_ms(at_ms: int, now_ms: int) -> int:
    """From one instant to a later one. Every age and span on screen comes from here: it is 0 where
    a clock that was set back puts the later one first."""
    return max(0, now_ms - at_ms)


def age(at_ms: int | None, now_ms: int) -> str:
    """How long ago an instant was, in words."""
    return MISSING if at_ms is None else duration(elapsed_ms(at_ms, now_ms))


def count(number: int | None) -> str:
    """A number of things in at most five characters: ``999``, ``12.8k``, ``128k``, ``1.2M``."""
    if number is None:
        return MISSING
    if number < 0:
        return "-" + count(-number)
    if number < 1_000:
        return str(number)
    value = float(number)
    for suffix in "kMG":
        value /= 1_000
        if value < 99.95:
            return f"{value:.1f}{suffix}"
        if value < 999.5:
            return f"{value:.0f}{suffix}"
    return f"{value / 1_000:.1f}T"


def grouped(number: int | None) -> str:
    """Every digit, in groups of three: ``11 636``."""
    return MISSING if number is None else f"{number:,}".replace(",", " ")


def plural(number: int, noun: str, many: str | None = None) -> str:
    """``1 agent``, ``3 agents``; ``many`` for nouns that do not just take an s."""
    return f"{grouped(number)} {noun if number == 1 else many or noun + 's'}"


def money(microusd: int | None) -> str:
    """Dollars: ``$4.12``, below ten cents ``$0.031``, from a thousand on ``$12.8k``."""
    if microusd is None:
        return MISSING
    if microusd < 0:
        return "-" + money(-microusd)
    dollars = microusd / 1_000_000
    if 0 < dollars < 0.0995:
        return f"${dollars:.3f}" if dollars >= 0.0005 else "<$0.001"
    if dollars < 999.995:
        return f"${dollars:.2f}"
    return f"${count(round(dollars))}"


def cost(microusd: int, *, is_unknown: bool) -> str:
    """A cost: ``$0.31``; ``?`` where unknown, ``$0.31+?`` where a further part is unknown; empty
    for no cost."""
    known = money(microusd) if microusd else ""
    if is_unknown:
        return f"{known}+?" if known else "?"
    return known or MISSING


def money_rate(microusd_per_hour: int | None) -> str:
    """Dollars per hour: ``$4.12/h``."""
    return MISSING if microusd_per_hour is None else f"{money(microusd_per_hour)}/h"


def cost_rate(microusd_per_hour: int, *, is_unknown: bool) -> str:
    """A cost per hour: ``$4.12/h``, or ``$4.12+?/h`` as for :func:`cost`."""
    if not is_unknown:
        return money_rate(microusd_per_hour)
    return f"{cost(microusd_per_hour, is_unknown=True)}/h"


def percent(value: float | None, decimals: int = 1) -> str:
    """A share given in hundredths: ``7.9%``; with ``decimals=0`` ``42%``."""
    return MISSING if value is None else f"{value:.{decimals}f}%"


def per_minute(number: float | None) -> str:
    """A rate: ``41/min``, below ten ``0.4/min``."""
    if number is None:
        return MISSING
    return f"{number:.1f}/min" if 0 < abs(number) < 9.95 else f"{number:.0f}/min"


def change_per_minute(number: float | None) -> str:
    """A rate of change with its sign: ``+18/min``, ``-4/min``, ``0/min``."""
    if number is None:
        return MISSING
    return "0/min" if round(number) == 0 else f"{round(number):+d}/min"


def size(octets: int | None) -> str:
    """A number of bytes in binary units: ``512 B``, ``1.5 MiB``."""
    if octets is None:
        return MISSING
    if abs(octets) < 1_024:
        return f"{octets} B"
    value = float(octets)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1_024
        if round(abs(value), 1) < 1_024:
            return f"{value:.1f} {unit}"
    return f"{value / 1_024:.1f} TiB"


def _at(at_ms: int, offset_minutes: int) -> datetime | None:
    """The local time, with a day of room at the end for its lead over UTC."""
    if not 0 <= at_ms <= MAX_INSTANT_MS - _DAY_MS:
        return None
    # Integer arithmetic: a float of seconds would round milliseconds.
    return _EPOCH + timedelta(milliseconds=at_ms) + timedelta(minutes=offset_minutes)


def clock(at_ms: int | None, offset_minutes: int = 0) -> str:
    """Time of day ``12:04:31``; ``offset_minutes`` is the local time's lead over UTC."""
    if at_ms is None:
        return MISSING
    local = _at(at_ms, offset_minutes)
    return "?" if local is None else f"{local:%H:%M:%S}"


def clock_minutes(at_ms: int | None, offset_minutes: int = 0) -> str:
    """Time of day ``12:04``."""
    return clock(at_ms, offset_minutes)[:5]


def clock_ms(at_ms: int | None, offset_minutes: int = 0) -> str:
    """Time of day ``12:04:31.118``."""
    if at_ms is None:
        return MISSING
    local = _at(at_ms, offset_minutes)
    return "?" if local is None else f"{local:%H:%M:%S}.{local.microsecond // 1_000:03d}"


def date_clock(at_ms: int | None, offset_minutes: int = 0) -> str:
    """Date and time ``2026-11-21 12:04:31``."""
    if at_ms is None:
        return MISSING
    local = _at(at_ms, offset_minutes)
    return "?" if local is None else f"{local:%Y-%m-%d %H:%M:%S}"
