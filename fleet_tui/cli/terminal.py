"""The second line of defence where commands print to a terminal: what the text firewall should have
shown, and somebody forgot, is shown here. The console has its own: ``console/seatbelt.py``.
"""

import codecs
import io
import re
import sys
from typing import TextIO

_UNSAFE = re.compile(
    "\x1b(?!\\[[0-9;]{0,32}[mHJK]|\\[\\?25[hl])"  # but colours, clearing, click's progress bar
    "|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
    "|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f\ud800-\udfff]"
)


def _shown(found: re.Match[str]) -> str:
    from fleet_tui.core.text.firewall import safe_line  # most commands end before they need it

    return safe_line(found[0])


class Belted(io.TextIOWrapper):
    """Standard output or standard error of which nothing steers the terminal."""

    def write(self, text: str, /) -> int:
        """As ever, with everything unsafe made visible."""
        super().write(_UNSAFE.sub(_shown, text))
        return len(text)


class Ascii(io.TextIOWrapper):
    """A stream whose reader said ASCII. click takes that for a mistake and writes UTF-8 all the
    same, so this one does not call itself ASCII."""

    def write(self, text: str, /) -> int:
        """As ever, with everything that is not ASCII escaped."""
        super().write(text.encode("ascii", "backslashreplace").decode("ascii"))
        return len(text)


def belt() -> None:
    """Put the belt on the streams that are terminals; on the others show as an escape what their
    encoding has no character for, as the console does."""
    sys.stdout, sys.stderr = _belted(sys.stdout), _belted(sys.stderr)


def _belted(stream: TextIO | None) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # type: ignore[return-value]  # None is what a closed stream is
    if stream.isatty():
        return Belted(
            stream.buffer,
            stream.encoding,
            "backslashreplace",
            line_buffering=True,
            write_through=True,
        )
    if codecs.lookup(stream.encoding).name == "ascii":
        return Ascii(stream.buffer, "utf-8", line_buffering=stream.line_buffering)
    stream.reconfigure(errors="backslashreplace")
    return stream
