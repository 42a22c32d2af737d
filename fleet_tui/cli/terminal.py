"""The second line of defence where commands print to a terminal: unsafe text that bypassed the text
firewall is made visible here. The console has its own: ``console/terminal/seatbelt.py``.
"""

import codecs
import io
import re
import sys
from typing import TextIO

_UNSAFE = re.compile(
    "\x1b(?!\\[[0-9;]{0,32}[mHJK]|\\[\\?25[hl])"  # except colours, clearing, click's progress bar
    "|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
    "|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f\ud800-\udfff]"
)


def _shown(found: re.Match[str]) -> str:
    from fleet_tui.core.text.firewall import safe_line  # most commands end before they need it

    return safe_line(found[0])


class Belted(io.TextIOWrapper):
    """Standard output or standard error that cannot control the terminal."""

    def write(self, text: str, /) -> int:
        """Write, with everything unsafe made visible."""
        super().write(_UNSAFE.sub(_shown, text))
        return len(text)


class Ascii(io.TextIOWrapper):
    """A stream whose encoding is ASCII. click takes that for a mistake and writes UTF-8 anyway, so
    this one does not report ASCII."""

    def write(self, text: str, /) -> int:
        """Write, with everything that is not ASCII escaped."""
        super().write(text.encode("ascii", "backslashreplace").decode("ascii"))
        return len(text)


def belt() -> None:
    """Wrap the streams that are terminals; on the others escape characters that their encoding
    lacks, as the console does."""
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
