"""Signs for states, bars, trends and charts, and their substitutes on limited terminals.

A state is always a sign *and* a word; a sign alone carries no meaning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto


class Sign(Enum):
    """The meaning of the sign before a word."""

    GOOD = auto()
    WARNING = auto()
    BAD = auto()
    STOPPING = auto()
    ASIDE = auto()
    """Set aside, on purpose or permanently."""
    COMING = auto()
    UNKNOWN = auto()


class Ramp(StrEnum):
    """How a chart is drawn."""

    BRAILLE = "braille"
    """Two values and four steps in one character."""
    EIGHTHS = "eighths"
    ASCII = "ascii"


@dataclass(frozen=True)
class Glyphs:
    """One set of signs. Each is one terminal cell wide."""

    is_ascii: bool
    """For terminals and fonts that show nothing else."""
    signs: Mapping[Sign, str]
    full: str
    empty: str
    rising: str
    steady: str
    falling: str
    sort_descending: str
    sort_ascending: str
    separator: str
    arrow: str
    marked: str
    rule: str
    steps: str
    """Bar chart from nothing to full."""
    ramp: Ramp

    def sign(self, sign: Sign) -> str:
        """One cell."""
        return self.signs[sign]

    def bar(self, part: float, whole: float, width: int) -> str:
        """``███░``: the used part of ``whole``. More than the whole fills the bar."""
        share = part / whole if whole > 0 else 0.0
        filled = round(max(0.0, min(1.0, share)) * width)
        if part > 0 and filled == 0:
            filled = min(1, width)
        if part < whole and filled == width and width > 1:
            filled = width - 1
        return self.full * filled + self.empty * (width - filled)

    def slots(self, used: int, total: int, width: int = 4) -> str:
        """``███░ 3/4``."""
        return f"{self.bar(used, total, width)} {used}/{total}"

    def spark(self, values: Sequence[float], low: float = 0.0, high: float | None = None) -> str:
        """One character per value, from ``low`` to ``high`` (default: the largest value)."""
        top = max(values, default=low) if high is None else high
        span = top - low
        last = len(self.steps) - 1
        return "".join(
            self.steps[round(max(0.0, min(1.0, (value - low) / span if span > 0 else 0.0)) * last)]
            for value in values
        )


_SIGNS: Mapping[Sign, str] = {
    Sign.GOOD: "●",
    Sign.WARNING: "▲",
    Sign.BAD: "✗",
    Sign.STOPPING: "◐",
    Sign.ASIDE: "◌",
    Sign.COMING: "↻",
    Sign.UNKNOWN: "?",
}

_ASCII_SIGNS: Mapping[Sign, str] = {
    Sign.GOOD: "+",
    Sign.WARNING: "!",
    Sign.BAD: "x",
    Sign.STOPPING: "~",
    Sign.ASIDE: "-",
    Sign.COMING: ">",
    Sign.UNKNOWN: "?",
}

UNICODE = Glyphs(
    is_ascii=False,
    signs=_SIGNS,
    full="█",
    empty="░",
    rising="↗",
    steady="→",
    falling="↘",
    sort_descending="▾",
    sort_ascending="▴",
    separator="│",
    arrow="→",
    marked="◆",
    rule="─",
    steps="▁▂▃▄▅▆▇█",
    ramp=Ramp.EIGHTHS,
)

ASCII = Glyphs(
    is_ascii=True,
    signs=_ASCII_SIGNS,
    full="#",
    empty=".",
    rising="^",
    steady="=",
    falling="v",
    sort_descending="v",
    sort_ascending="^",
    separator="|",
    arrow=">",
    marked="*",
    rule="-",
    steps="_.:-=+*#",
    ramp=Ramp.ASCII,
)

_EAST_ASIAN = ("zh", "ja", "ko")


def choose(env: Mapping[str, str], wanted: str = "auto") -> Glyphs:
    """The signs a terminal can draw. ``wanted`` is ``auto``, ``unicode`` or ``ascii``.

    The Linux console has no such font; East Asian locales draw several of the signs two cells wide;
    a locale that is not UTF-8 cannot carry them.
    """
    if wanted != "auto":
        return ASCII if wanted == "ascii" else UNICODE
    if env.get("TERM") in ("linux", "dumb"):
        return ASCII
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    utf8 = "UTF-8" in locale.upper() or "UTF8" in locale.upper()
    if locale in ("C", "POSIX") or ("." in locale and not utf8):
        return ASCII
    return ASCII if locale[:2] in _EAST_ASIAN else UNICODE
