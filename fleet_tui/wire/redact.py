"""Takes secrets out of text before it is stored or shown.

Patterns find what has a known shape (``core/redaction.py``), and secrets that this process itself
holds are found whatever their shape (:func:`know`). Nothing finds everything, so tokens are also
never fetched.
"""

import re

from fleet_tui.core.redaction import without_patterns

_PEM_BEGIN = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:"
)
_PEM_END = re.compile(
    r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|Private-MAC: ?[0-9a-f]{8,}"
)

MAX_PEM_LINES = 400
"""A key block that never ends hides at most so many lines."""


MIN_KNOWN_CHARS = 8
"""A shorter secret is a word of ordinary text, and hiding that would tell it."""

_known: list[str] = []
"""As many as a fleet has tokens; one that holds another comes before it."""


def know(secret: str) -> None:
    """From now on this secret, which this process holds, is taken out of every text."""
    if len(secret) >= MIN_KNOWN_CHARS and secret not in _known:
        _known.append(secret)
        _known.sort(key=len, reverse=True)


def redact(text: str) -> str:
    """``text`` with every recognised secret replaced by ``[redacted:kind]``."""
    return redact_counted(text)[0]


def redact_counted(text: str) -> tuple[str, int]:
    """As :func:`redact`, and how many were replaced."""
    count = 0
    for secret in _known:
        if secret in text:
            count += text.count(secret)
            text = text.replace(secret, "[redacted:token]")
    text, found = without_patterns(text)
    return text, count + found


class LineRedactor:
    """Redacts line after line and remembers that it is inside a private key."""

    def __init__(self) -> None:
        self.count = 0
        self._hidden_lines = 0

    def redact(self, line: str) -> str | None:
        """The line to keep, or None for the inner lines of a key."""
        if self._hidden_lines:
            end = _PEM_END.search(line)
            self._hidden_lines += 1
            if end is None and self._hidden_lines <= MAX_PEM_LINES:
                return None
            self._hidden_lines = 0
            line = line[end.end() :] if end is not None else line
            if not line.strip():
                return None
        text, found = redact_counted(line)
        self.count += found
        begins = [match.start() for match in _PEM_BEGIN.finditer(line)]
        if begins and _PEM_END.search(line, begins[-1]) is None:
            self._hidden_lines = 1
        return text
