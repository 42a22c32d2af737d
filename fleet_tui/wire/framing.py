"""Bytes of a log to lines of text, whatever the bytes are.

A line is never longer than MAX_LINE_CHARS and no more than that is ever held; what is cut is
counted in the line itself. Chunks are split at once, not line by line: that is ten times faster.
"""

import re

from fleet_tui.core.logs import MAX_LINE_CHARS, Level

MAX_HELD_BYTES = MAX_LINE_CHARS * 4
"""Of an unfinished line no more than this is kept; UTF-8 needs at most four bytes a character."""


class LineFramer:
    """Feed it chunks as they come; it gives the lines that are complete."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._dropped_bytes = 0

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that ``chunk`` completes, without their ends (LF or CRLF)."""
        first, *rest = chunk.split(b"\n")
        self._hold(first)
        if not rest:
            return []
        lines = [self._take()]
        *whole, last = rest
        lines.extend(frame_line(line) for line in whole)
        self._hold(last)
        return lines

    def flush(self) -> list[str]:
        """What has come of an unfinished line, for a writer that pauses in the middle of one."""
        return [self._take()] if self.holds_something else []

    @property
    def holds_something(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._held) or self._dropped_bytes > 0

    def _hold(self, part: bytes) -> None:
        room = MAX_HELD_BYTES - len(self._held)
        self._held += part[:room]
        self._dropped_bytes += max(0, len(part) - room)

    def _take(self) -> str:
        line = frame_line(bytes(self._held), self._dropped_bytes)
        self._held.clear()
        self._dropped_bytes = 0
        return line


def frame_line(line: bytes, dropped_bytes: int = 0) -> str:
    r"""One line as text: bytes that are no UTF-8 as ``\xNN``, cut to MAX_LINE_CHARS with a note.

    ``dropped_bytes`` were cut off before; the note counts them as characters.
    """
    kept = line[:MAX_HELD_BYTES]
    dropped_bytes += len(line) - len(kept)
    text = kept.decode("utf-8", "backslashreplace").removesuffix("\r")
    if len(text) <= MAX_LINE_CHARS and not dropped_bytes:
        return text
    lost = max(0, len(text) - MAX_LINE_CHARS) + dropped_bytes
    note = f" …(+{lost})"
    # The note must fit too, so that nobody behind us cuts it away.
    keep = MAX_LINE_CHARS - len(note) - 8
    lost += min(len(text), MAX_LINE_CHARS) - keep
    return f"{text[:keep]} …(+{lost})"


_LEVEL_WORDS = {
    "trace": Level.TRACE,
    "debug": Level.DEBUG,
    "dbg": Level.DEBUG,
    "info": Level.INFO,
    "notice": Level.INFO,
    "warn": Level.WARN,
    "warning": Level.WARN,
    "error": Level.ERROR,
    "err": Level.ERROR,
    "critical": Level.ERROR,
    "crit": Level.ERROR,
    "fatal": Level.ERROR,
    "panic": Level.ERROR,
    "alert": Level.ERROR,
}
_LEVEL_FIELD = re.compile(
    r'(?i)(?:"(?:level|severity|lvl|logLevelName)"\s*:\s*"|\b(?:level|severity|lvl)=)([a-z]+)'
)
_LEVEL_WORD = re.compile(
    r"\b(TRACE|DEBUG|DBG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRITICAL|CRIT|FATAL|PANIC|ALERT)\b"
    r"|^\W{0,2}(?i:(trace|debug|info|notice|warn|warning|error|critical|fatal|panic))\b\W"
)
LEVEL_SEARCH_CHARS = 200


def read_level(line: str) -> Level:
    """The severity a line names near its beginning; UNKNOWN when it names none we know."""
    head = line[:LEVEL_SEARCH_CHARS]
    found = _LEVEL_FIELD.search(head) or _LEVEL_WORD.search(head)
    if found is None:
        return Level.UNKNOWN
    word = next(group for group in found.groups() if group)
    return _LEVEL_WORDS.get(word.lower(), Level.UNKNOWN)
