"""Charts of one or a few lines: braille, eighth blocks or ASCII."""

from collections.abc import Iterable, Sequence

from fleet_tui.console.text.glyphs import UNICODE, Glyphs, Ramp

_BRAILLE_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
"""Dots of the left column for 0 to 4 steps, from the bottom up (Unicode block 2800)."""

_BRAILLE_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)


MAX_STRETCHES = 256
"""The maximum number of intervals in a window, so that a chart moves rarely."""


def curve(
    points: Iterable[tuple[int, float]], now_ms: int, window_ms: int, columns: int
) -> list[float]:
    """The largest value of each of ``columns`` equal intervals of the window, oldest first, from
    values at instants.

    Intervals are aligned to the clock, so that the picture changes only when one closes. An
    interval without a value has that of the previous one.
    """
    step_ms = max(1, window_ms // max(1, columns))
    last = now_ms // step_ms
    first = last - columns + 1
    found: dict[int, float] = {}
    for at_ms, value in points:
        at = at_ms // step_ms
        if first <= at <= last:
            found[at] = max(found.get(at, value), value)
    value = 0.0
    made: list[float] = []
    for at in range(first, last + 1):
        value = found.get(at, value)
        made.append(value)
    return made


def resample(values: Sequence[float], count: int) -> list[float]:
    """The newest values so that at most ``count`` remain: each the largest of its share.

    Taking the largest keeps a spike visible however narrow the chart is.
    """
    if count <= 0:
        return []
    if len(values) <= count:
        return list(values)
    return [
        max(values[at * len(values) // count : (at + 1) * len(values) // count])
        for at in range(count)
    ]


def chart_lines(
    values: Sequence[float],
    width: int,
    height: int = 1,
    *,
    glyphs: Glyphs = UNICODE,
    ramp: Ramp | None = None,
    high: float | None = None,
) -> tuple[str, ...]:
    """The chart as ``height`` lines of ``width`` characters, top line first, newest at the right.

    It reaches from 0 to ``high`` (default: the largest value). A value above 0 is never invisible.
    """
    ramp = glyphs.ramp if ramp is None else ramp
    columns = width * 2 if ramp is Ramp.BRAILLE else width
    shown = resample(values, columns)
    shown = [0.0] * (columns - len(shown)) + shown
    top = max(shown, default=0.0) if high is None else high
    per_line = 4 if ramp is Ramp.BRAILLE else len(glyphs.steps)
    levels = [_level(value, top, per_line * height) for value in shown]
    return tuple(
        _chart_line(levels, per_line * (height - 1 - row), per_line, ramp, glyphs)
        for row in range(height)
    )


def _level(value: float, top: float, steps: int) -> int:
    """How many steps high a column is."""
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(steps, round(value / top * steps)))


def _chart_line(levels: Sequence[int], floor: int, steps: int, ramp: Ramp, glyphs: Glyphs) -> str:
    """One line of the chart: the part of each column above ``floor``."""
    parts = [max(0, min(steps, level - floor)) for level in levels]
    if ramp is Ramp.BRAILLE:
        return "".join(
            chr(0x2800 + _BRAILLE_LEFT[left] + _BRAILLE_RIGHT[right]) if left or right else " "
            for left, right in zip(parts[::2], parts[1::2], strict=True)
        )
    return "".join(glyphs.steps[part - 1] if part else " " for part in parts)
