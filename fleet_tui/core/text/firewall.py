"""The text firewall: the one way from :class:`Untrusted` to a screen or a print.

Every function here returns text of which each character is printable (``str.isprintable``), so it
cannot move the cursor, start an escape sequence, reorder its neighbours or hide. Other characters
are made visible: control characters as their Unicode control pictures, the rest as ``<U+202E>``.
Square brackets stay as they are; widgets must not parse markup.
"""

import re
import unicodedata
from collections import Counter

from fleet_tui.core.text.untrusted import Untrusted

MAX_SHOWN_CHARS = 4_096
"""How much of a line is read and shown unless the caller asks for less."""

MAX_COMBINING_RUN = 4
"""Marks stacked on one character before the rest is counted instead of drawn."""

_MIN_LIMIT = 16
"""Room for the mark of a cut, ``…(+1048576)``."""

_ESCAPED_BYTES = range(0xDC80, 0xDD00)
"""What the error handler ``surrogateescape`` makes of the bytes 0x80-0xff."""

_LOOKS_EMPTY = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code)
    for block in (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
    for code in block
}
"""Characters Python calls printable although they draw nothing: fillers, joiners, selectors."""

_WHITESPACE_CONTROLS = frozenset("\t\n\r")

_PRESENTATION_SELECTOR = re.compile(r"(?<=[^\x00-\x7f\ufe0e\ufe0f])[\ufe0e\ufe0f]")
"""One selector after a symbol only picks text or emoji style; terminals differ on its width."""

_MAYBE_MARKS = re.compile(rf"[^\w\s!-~]{{{MAX_COMBINING_RUN + 1},}}")


def _visible(char: str) -> str:
    """How one character is shown."""
    code = ord(char)
    if char == "\t":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code in _ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(char) == "Zs":
        return " "
    if char.isprintable() and char not in _LOOKS_EMPTY:
        return char
    return f"<U+{code:04X}>"


class _VisibleForms(dict[int, str]):
    """A translation table that learns code points as they come; at most 1,114,112 of them."""

    def __missing__(self, code: int) -> str:
        shown = self[code] = _visible(chr(code))
        return shown


_VISIBLE = _VisibleForms()


def is_mark(char: str) -> bool:
    """Whether a character is drawn on the one before it."""
    return unicodedata.category(char) in ("Mn", "Me") or unicodedata.combining(char) != 0


def _cut_marks(found: re.Match[str]) -> str:
    """A run that may hold stacked marks, with the ones beyond the limit counted."""
    kept: list[str] = []
    run = lost = 0
    for char in found[0] + " ":
        if is_mark(char):
            run += 1
            if run > MAX_COMBINING_RUN:
                lost += 1
                continue
        else:
            if lost:
                kept.append(f"<+{lost} marks>")
            run = lost = 0
        kept.append(char)
    return "".join(kept[:-1])


def safe_line(text: Untrusted | str, limit: int = MAX_SHOWN_CHARS) -> str:
    """The text as one printable line of at most ``limit`` (>= 16) characters.

    A longer one ends in ``…(+N)``, N being the characters not shown. Idempotent.
    """
    raw = text if isinstance(text, str) else text.raw
    size = len(raw)
    if size <= limit and raw.isascii() and raw.isprintable():
        return raw
    assert limit >= _MIN_LIMIT, limit
    shown = raw[:limit]
    if not (shown.isascii() and shown.isprintable()):
        shown = _PRESENTATION_SELECTOR.sub("", shown).translate(_VISIBLE)
        if not shown.isascii():
            shown = _MAYBE_MARKS.sub(_cut_marks, shown)
    total = len(shown) + max(0, size - limit)
    if total <= limit:
        return shown
    keep = limit - len(f"…(+{total})")
    return f"{shown[:keep]}…(+{total - keep})"


def safe_text(
    text: Untrusted | str, max_lines: int = 1_000, limit: int = MAX_SHOWN_CHARS
) -> tuple[str, ...]:
    """The text as printable lines, at most ``max_lines`` of ``limit`` characters each.

    When lines are left out the last one states how many.
    """
    assert max_lines >= 1, max_lines
    raw = text if isinstance(text, str) else text.raw

    def shown(some: list[str]) -> tuple[str, ...]:
        return tuple(safe_line(line.removesuffix("\r"), limit) for line in some)

    lines = raw.split("\n", max_lines)
    if len(lines) <= max_lines:
        return shown(lines)
    left_out = 2 + lines[max_lines].count("\n")
    return (*shown(lines[: max_lines - 1]), f"…(+{left_out} lines)")


def invisible_count(text: Untrusted | str) -> int:
    """How many characters would be invisible or act on the terminal.

    Tabs and line ends are not counted: a text of many lines has them.
    """
    raw = text if isinstance(text, str) else text.raw
    return sum(
        times
        for char, times in Counter(raw).items()
        if char not in _WHITESPACE_CONTROLS
        and _VISIBLE[ord(char)] != char
        and unicodedata.category(char) != "Zs"
    )
