"""Turns the bytes of a log into lines of text, whatever the bytes are.

A line is never longer than MAX_LINE_CHARS when it is stored, and no more than MAX_BUFFERED_BYTES of
it are ever buffered; the line itself states how much was cut. It ends at its line end, never inside
a character, and a line that its writer overwrote (CR, as progress bars do) is kept in its last
form. NULs are dropped, as by a terminal: a file that was truncated while its program kept writing
has a hole of them, and text in UTF-16 has one next to each ASCII character. Chunks are split as a
whole, not line by line: that is ten times faster.
"""

from codecs import getincrementaldecoder
from typing import NamedTuple

from fleet_tui.core.logs import MAX_LINE_CHARS

MAX_BUFFERED_BYTES = MAX_LINE_CHARS * 4
"""Of an unfinished line no more than this is kept; UTF-8 needs at most four bytes a character."""

_MAX_CONTINUATION = 3
"""A character of UTF-8 has at most so many bytes after its first."""

_decoder = getincrementaldecoder("utf-8")


class FramedLine(NamedTuple):
    """One line before it is cut, so that a secret at the cut is still complete."""

    text: str
    dropped_bytes: int = 0
    """Bytes beyond MAX_BUFFERED_BYTES."""


class LineFramer:
    """Feed it chunks as they arrive; it returns the complete lines."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._dropped_bytes = 0
        self._returned = False
        """Whether the last byte was a CR: the next bytes overwrite the buffer."""
        self._rested = False
        """Whether the beginning of this line was already returned."""
        self._inside = 0

    def begin_inside(self) -> None:
        """The first bytes may be the rest of a character whose beginning was not read."""
        self._inside = _MAX_CONTINUATION

    def feed(self, chunk: bytes) -> list[FramedLine]:
        """The lines that ``chunk`` completes, without their ends (LF or CRLF)."""
        chunk = chunk.replace(b"\0", b"")
        if self._inside:
            chunk = self._from_a_character(chunk)
        first, *rest = chunk.split(b"\n")
        self._hold(first)
        if not rest:
            return []
        lines = self.finish() if self._rested else [self._take()]
        *whole, last = rest
        lines.extend(map(_framed, whole))
        self._hold(last)
        return lines

    def rest(self) -> list[FramedLine]:
        """The unfinished line of a writer that has paused for long, as a line of its own; the bytes
        of an incomplete character stay until the rest arrives."""
        if self._dropped_bytes or self._returned:
            return self.finish(rested=True)
        decoder = _decoder("backslashreplace")
        text = decoder.decode(bytes(self._buffer))
        self._buffer[:] = decoder.getstate()[0]
        self._rested = self._rested or bool(text)
        return [FramedLine(text)] if text else []

    def finish(self, *, rested: bool = False) -> list[FramedLine]:
        """The unfinished line at the end of the input."""
        lines = [self._take()] if self.holds_something else []
        self._rested = rested
        return lines

    @property
    def holds_something(self) -> bool:
        """Whether a line has begun and not ended."""
        return bool(self._buffer) or self._dropped_bytes > 0

    def _hold(self, part: bytes) -> None:
        core = part.rstrip(b"\r")
        if core:
            written_over = core.rfind(b"\r") + 1
            if written_over or self._returned:
                self._buffer.clear()
                self._dropped_bytes = 0
            core = core[written_over:]
            room = MAX_BUFFERED_BYTES - len(self._buffer)
            self._buffer += core[:room]
            self._dropped_bytes += max(0, len(core) - room)
            self._returned = False
        if len(core) < len(part) and part.endswith(b"\r"):
            self._returned = True

    def _take(self) -> FramedLine:
        line = FramedLine(_decoded(bytes(self._buffer)), self._dropped_bytes)
        self._buffer.clear()
        self._dropped_bytes = 0
        self._returned = self._rested = False
        return line

    def _from_a_character(self, chunk: bytes) -> bytes:
        """The bytes without an incomplete character at the beginning."""
        begin = 0
        while begin < min(len(chunk), self._inside) and 0x80 <= chunk[begin] < 0xC0:
            begin += 1
        self._inside = self._inside - begin if begin == len(chunk) else 0
        return chunk[begin:]


def frame_line(line: bytes) -> str:
    r"""What was said at once as text: each line of it is what it was last, bytes that are no UTF-8
    are ``\xNN``, all of it is cut to MAX_LINE_CHARS with a note."""
    if b"\r" in line:
        line = b"\n".join(map(_last_state, line.split(b"\n")))
    return cut_line(_framed(line))


def cut_line(line: FramedLine) -> str:
    """A line cut to MAX_LINE_CHARS, with a note that counts dropped bytes as characters."""
    text, dropped_bytes = line
    if len(text) <= MAX_LINE_CHARS and not dropped_bytes:
        return text
    lost = max(0, len(text) - MAX_LINE_CHARS) + dropped_bytes
    note = f" …(+{lost})"
    # The note must fit too, so that no later cut removes it.
    keep = MAX_LINE_CHARS - len(note) - 8
    lost += min(len(text), MAX_LINE_CHARS) - keep
    return f"{text[:keep]} …(+{lost})"


def _framed(line: bytes) -> FramedLine:
    """A complete line, without overwritten text."""
    if b"\r" in line:
        line = _last_state(line)
    if len(line) <= MAX_BUFFERED_BYTES:
        return FramedLine(line.decode("utf-8", "backslashreplace"))
    return FramedLine(_decoded(line[:MAX_BUFFERED_BYTES]), max(0, len(line) - MAX_BUFFERED_BYTES))


def _last_state(line: bytes) -> bytes:
    line = line.rstrip(b"\r")
    return line[line.rfind(b"\r") + 1 :]


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")
