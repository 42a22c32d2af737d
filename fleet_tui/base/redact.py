"""Removes secrets from text before it is stored or shown.

Patterns find secrets of known shapes (``core/text/redaction.py``), and secrets that this process
itself holds are found whatever their shape (:func:`know`). No method finds everything, so tokens
are also never fetched.
"""

import re

from fleet_tui.core.text.redaction import without_patterns
from fleet_tui.core.text.secret_names import NAMED
from fleet_tui.core.text.secret_shapes import KEY_BEGIN, KEY_END, PUTTY_BEGIN, PUTTY_END

_PEM_BEGIN = re.compile(rf"{KEY_BEGIN}|{PUTTY_BEGIN}")
_PEM_END = re.compile(rf"{KEY_END}|{PUTTY_END}")

MAX_PEM_LINES = 400
"""A key block without an end hides at most this many lines."""


MAX_VALUE_LINES = 50
"""A multi-line value hides at most this many lines."""

_VALUE_FOLLOWS = re.compile(
    rf"(?i){NAMED}\\?[\"']?\s{{0,8}}(?:[:=]\s{{0,8}}"
    r"(?:[|>][+-]?\d?|(?P<opened>[\[{]|\"{3}|'{3}|\"(?!\")(?=[^\"]*\Z)))?|(?P<field>,?))"
    r"[^\"'\]}]{0,400}\Z"
)
"""A line that names a secret whose value, or its rest, is on the next lines."""

_NAMES_MORE = re.compile(r"[\w.-]{1,60}:(?:\s|\Z)")
"""The beginning of a map, each line of which is judged by its own name."""

_CLOSES = {"[": "]", "{": "}"}
_VALUE_FIELD = re.compile(r"\s*[\"']?value[\"']?\s*[:=]", re.I)


MIN_KNOWN_CHARS = 8
"""A shorter secret may occur in ordinary text, and hiding it there would reveal it."""

_known: list[str] = []
"""As many as a fleet has tokens; one that contains another comes before it."""


def know(secret: str) -> None:
    """From now on remove this secret, which this process holds, from every text."""
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
    """Redacts line by line and tracks whether it is inside a private key or a multi-line value."""

    def __init__(self) -> None:
        self.count = 0
        self._hidden_lines = 0
        self._follows: re.Match[str] | None = None
        """The line that named a secret whose value comes now."""
        self._value_lines = 0

    def redact(self, line: str) -> str | None:
        """The line to keep, or None for the inner lines of a key."""
        if self._hidden_lines:
            end = _PEM_END.search(line)
            # A key that begins within it is hidden from its own beginning on.
            anew = end is None and _PEM_BEGIN.search(line) is not None
            self._hidden_lines = 1 if anew else self._hidden_lines + 1
            if end is None and self._hidden_lines <= MAX_PEM_LINES:
                return None
            self._hidden_lines = 0
            line = line[end.end() :] if end is not None else line
            if not line.strip():
                return None
        if self._is_value(line):
            self.count += 1
            return f"{line[: _indent(line)]}[redacted:secret]"
        text, found = redact_counted(line)
        self.count += found
        begins = [match.start() for match in _PEM_BEGIN.finditer(line)]
        if begins and _PEM_END.search(line, begins[-1]) is None:
            self._hidden_lines = 1
        else:
            self._follows, self._value_lines = _VALUE_FOLLOWS.search(line), 0
        return text

    def _is_value(self, line: str) -> bool:
        """Whether a line is part of the previously named value."""
        named, self._value_lines = self._follows, self._value_lines + 1
        if named is None or self._value_lines > MAX_VALUE_LINES:
            return False
        if (opened := named["opened"]) is not None:
            if _CLOSES.get(opened, opened) in line:
                self._follows = None
            return bool(line.strip(" \t]}),;"))
        if named["field"] is not None:
            return _VALUE_FIELD.match(line) is not None
        said = line.lstrip()
        deeper = _indent(line) > _indent(named.string) or said.startswith("- ")
        return bool(said) and deeper and _NAMES_MORE.match(said) is None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
