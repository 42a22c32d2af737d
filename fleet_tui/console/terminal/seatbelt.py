"""The second line of defence between remote text and the terminal, in both directions.

Outwards, :class:`SeatbeltDriver` passes only the control sequences that a full-screen program
needs: colours, cursor movements, and the modes that Textual sets. Clipboard, window title, links,
queries and everything unknown are shown instead of executed, even where a widget bypassed the text
firewall. Inwards, :class:`ReplyFilter` drops a terminal's replies to queries, so that a reply is
never taken for keys.

Plug in with ``App(driver_class=SeatbeltDriver)``. Sequences of our own that are not on the list go
through :meth:`SeatbeltDriver.write_own`.
"""

import os
import re
import selectors
import time
from base64 import b64encode
from codecs import getincrementaldecoder
from collections.abc import Iterable
from typing import Final

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.redaction import without_patterns

# --- outwards ---

_UNSAFE = re.compile(
    "\x1b(?!\\[[0-9;:]*[mABCDGHJK])"
    "|[\x00-\x09\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
    "|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
"""Anything but text, colours (m), movements (A-D G H) and erasures (J K): ECMA-48."""

_MODES = "7|25|1000|1003|1004|1006|1015|1016|1049|2004|2026|2048"
"""Private modes: wrap, cursor, mouse, focus, second screen, paste, synchronised output, resize."""

_WHOLE = re.compile(
    rf"(?:\x1b\[\?(?:{_MODES})[hl])+"
    r"|\x1b\[\?(?:2026|2048)\$p"  # does the terminal know synchronised output, resize reports
    r"|\x1b\[>[0-9]{1,3}u|\x1b\[<u"  # keyboard protocol on and off
    r"|\x1b\[6n"  # cursor position query (inline mode)
    r"|\x1b\]22;[a-z-]{0,32}\x07"  # the mouse pointer's shape
    r"|\x07"
)
"""Textual's own writes that contain nothing else."""

MAX_CLIPBOARD_CHARS = 74_994
"""Base64 characters in one OSC 52; longer ones are dropped by terminals (the limit k9s uses)."""

MAX_TITLE_CHARS = 100

BELL: Final = "\x07"
ESCAPE: Final = "\x1b"
ESCAPE_KEY: Final = "\x1b[27u"
"""The escape key as terminals with the kitty protocol send it: nothing can follow it."""

_ESCAPE_THEN_DIGIT = re.compile("\x1b(?=[0-9])")
"""Two keys, or alt with a digit: terminals do not distinguish them, and the latter is unused
here."""

_KEEP_TITLE: Final = "\x1b[22;2t"
_TITLE_BACK: Final = "\x1b[23;2t"
"""The terminal keeps a stack of titles (xterm's window operations 22 and 23)."""


def _shown(found: re.Match[str]) -> str:
    char = found[0]
    return "␛" if char == "\x1b" else safe_line(char)


def belted(data: str) -> str:
    """``data`` with everything unsafe in it made visible."""
    if _UNSAFE.search(data) is None or _WHOLE.fullmatch(data) is not None:
        return data
    return _UNSAFE.sub(_shown, data)


def clipboard_sequence(text: str) -> str | None:
    """OSC 52 that puts a text into the terminal's clipboard; None if it is too long for one."""
    encoded = b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
    return f"\x1b]52;c;{encoded}\x07" if len(encoded) <= MAX_CLIPBOARD_CHARS else None


def title_sequence(title: str) -> str:
    """OSC 2 that sets the window's title, without secrets: a window manager may keep it."""
    return f"\x1b]2;{safe_line(without_patterns(title)[0], MAX_TITLE_CHARS)}\x07"


def notification_sequence(text: str) -> str:
    """OSC 9: a desktop notification, in terminals that support it; without secrets."""
    return f"\x1b]9;{safe_line(without_patterns(text)[0], MAX_TITLE_CHARS)}\x07"


_OWN = re.compile(
    r"\x07|\x1b\[2[23];2t|\x1b\](?:52;c;[A-Za-z0-9+/=]*|[29];[^\x00-\x1f\x7f-\x9f]*)\x07"
)


# --- inwards ---

MAX_REPLY_CHARS = 262_144
"""The longest reply that is dropped; the rest of a longer one counts as typed."""

REPLY_PATIENCE_S = 0.5
"""How long to wait for the rest of a reply."""

KEY_PATIENCE_S = 0.05
"""How long a prefix that may be a key, such as escape, is held before it counts as one."""

_PASTE_START: Final = "\x1b[200~"
_PASTE_END: Final = "\x1b[201~"

_STRING_START = re.compile("\x1b[]PX^_]|[\x90\x98\x9d-\x9f]")
"""OSC, DCS, SOS, PM, APC, each also as one C1 character."""

_STRING_END = re.compile("\x07|\x1b\\\\|\x9c|[\x18\x1a]|(?=\x1b[^\\\\])")
"""BEL, ST, CAN, SUB; the beginning of another sequence ends a string too."""

_REPLY = re.compile(
    r"\x1b\[[?>=][0-9;]*c"  # device attributes
    r"|\x1b\[\?[0-9;]*[nSuR]"  # status, graphics, keyboard flags, extended cursor position
    r"|\x1b\[[03]n"  # status
    r"|\x1b\[[0-9;]*x"  # terminal parameters
    r"|\x1b\[(?!48;)[0-9]{1,3}(?:;[0-9]{1,6}){0,2}t"  # window; 48 is the resize report we asked for
    r"|\x1b\[\?(?!2026;|2048;)[0-9]+;[0-9]\$y"  # modes that we did not query
    r"|\x1b\[[0-9]{1,5};[0-9]\$y"
    r"|\x1b\[[?>=0-9;]{0,64}\$[A-Za-xz]"
    "|\x9b[\x20-\x3f]*[\x40-\x7e]"  # the same with the C1 introducer: no keyboard sends it
)

_UNFINISHED = re.compile("\x1b(?:\\[[\x20-\x3f]{0,64})?\\Z|\x9b[\x20-\x3f]{0,64}\\Z")
"""An incomplete control sequence."""


class ReplyFilter:
    """Takes terminal input in any pieces and returns typed, clicked or pasted input."""

    def __init__(self) -> None:
        self._held = ""
        """The beginning of an incomplete sequence."""
        self._swallowing = 0
        """Characters of the current reply so far; 0 outside of one."""
        self._in_paste = False
        self.swallowed = 0
        """Replies dropped since the start."""

    @property
    def patience_s(self) -> float | None:
        """How long to wait before :meth:`flush`; None while nothing is incomplete."""
        if self._swallowing:
            return REPLY_PATIENCE_S
        return KEY_PATIENCE_S if self._held else None

    def feed(self, data: str) -> str:
        """The part of the input so far that is not a reply."""
        data, self._held = self._held + data, ""
        kept: list[str] = []
        while data:
            if self._swallowing:
                data = self._swallow(data)
            elif self._in_paste:
                data = self._paste(data, kept)
            else:
                data = self._typed(data, kept)
        return "".join(kept)

    def flush(self) -> str:
        """Stop waiting: an incomplete reply is dropped, a lone prefix was a key."""
        held, self._held = self._held, ""
        if self._swallowing:
            self._swallowing = 0
            return ""
        return held

    def _swallow(self, data: str) -> str:
        """Drop input up to the end of the reply; returns the rest."""
        end = _STRING_END.search(data)
        if end is not None:
            self._swallowing = 0
            self.swallowed += 1
            return data[end.end() :]
        self._swallowing += len(data)
        if self._swallowing > MAX_REPLY_CHARS:
            self._swallowing = 0
            self.swallowed += 1
        elif data.endswith("\x1b"):
            self._held = "\x1b"  # perhaps half of the ending
        return ""

    def _paste(self, data: str, kept: list[str]) -> str:
        """Pass on pasted text unchanged, up to the end of the paste; returns the rest."""
        before, end, after = data.partition(_PASTE_END)
        if end:
            self._in_paste = False
            kept.append(before + end)
            return after
        split = _overlap(data, _PASTE_END)
        kept.append(data[: len(data) - split])
        self._held = data[len(data) - split :]
        return ""

    def _typed(self, data: str, kept: list[str]) -> str:
        """Pass on typed input up to the next reply or paste; returns the rest."""
        paste = data.find(_PASTE_START)
        start = _STRING_START.search(data)
        first = min(
            (at for at in (paste, -1 if start is None else start.start()) if at >= 0), default=-1
        )
        if first < 0:
            unfinished = _UNFINISHED.search(data)
            if unfinished is not None:
                self._held = data[unfinished.start() :]
                data = data[: unfinished.start()]
            kept.append(self._without_replies(data))
            return ""
        kept.append(self._without_replies(data[:first]))
        if first == paste:
            self._in_paste = True
            kept.append(_PASTE_START)
            return data[first + len(_PASTE_START) :]
        assert start is not None
        if start.end() == len(data) and len(start[0]) == 2:
            self._held = start[0]  # alt with a key, or a reply: the next input decides
            return ""
        self._swallowing = 1
        return data[start.end() :]

    def _without_replies(self, data: str) -> str:
        kept, replies = _REPLY.subn("", data)
        self.swallowed += replies
        return _ESCAPE_THEN_DIGIT.sub(ESCAPE_KEY, kept)


def _overlap(data: str, ending: str) -> int:
    """How many characters at the end of ``data`` could be the beginning of ``ending``."""
    return next((size for size in range(len(ending) - 1, 0, -1) if data.endswith(ending[:size])), 0)


# --- the driver ---


_POLL_S = 0.1
"""How often the input thread checks whether it should end."""


class SeatbeltDriver(LinuxDriver):
    """Textual's driver for terminals, with an allowlist in both directions."""

    _title = ""
    """The title of ours that the window has now, as a sequence."""

    def write(self, data: str) -> None:
        """Write the allowed parts of ``data``."""
        super().write(belted(data))

    def write_own(self, sequence: str) -> None:
        """Write a bell, clipboard, title or notification sequence that this program made itself.

        Raises ValueError for anything else.
        """
        if _OWN.fullmatch(sequence) is None:
            raise ValueError(f"not a sequence of ours: {safe_line(sequence)}")
        super().write(sequence)

    @property
    def writer(self) -> int | None:
        """The thread that writes to the terminal; None while there is none."""
        thread = self._writer_thread
        return thread.ident if thread is not None and thread.is_alive() else None

    def name_window(self, title: str) -> None:
        """Set the window's title (a sequence of :func:`title_sequence`); the terminal's own is
        restored when the console ends."""
        if not self._title:
            self.write_own(_KEEP_TITLE)
        self._title = title
        self.write_own(title)

    def start_application_mode(self) -> None:
        """As Textual does; after ctrl+z the window has our title again."""
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's, without types
        title, self._title = self._title, ""
        if title:
            self.name_window(title)

    def stop_application_mode(self) -> None:
        """As Textual does, and the window has its own title again."""
        if self._title:
            self.write_own(_TITLE_BACK)
        super().stop_application_mode()

    def _sigcont_application(self, *args: object) -> None:
        """Take the terminal again only if ctrl+z gave it away.

        Shells and tmux send SIGCONT with every hangup. Starting a second time then would leave
        threads that never end, and with them the process.
        """
        if self._must_signal_resume:
            super()._sigcont_application(*args)

    def run_input_thread(self) -> None:
        """Read the terminal until told to stop; replies to queries are dropped. Input that is
        passed on has the time at which it was read, by ``time.monotonic``."""
        parser = XTermParser(self._debug)
        replies = ReplyFilter()
        decode = getincrementaldecoder("utf-8")("replace").decode
        read_s = time.monotonic()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                patience_s = replies.patience_s
                typed = ""
                if selector.select(_POLL_S if patience_s is None else patience_s):
                    data = decode(os.read(self.fileno, 4_096))
                    read_s = time.monotonic()
                    typed = replies.feed(data)
                    if not data:
                        # Standard input was closed, or a character is not complete yet.
                        self.exit_event.wait(_POLL_S)
                elif patience_s is not None:
                    typed = replies.flush()
                    if typed == ESCAPE:
                        # Nothing followed it: the parser would wait again, and take the next key
                        # for one with alt.
                        typed = ESCAPE_KEY
                if typed:
                    self._pass_on(parser.feed(typed), read_s)
                self._pass_on(parser.tick(), read_s)

    def _run_input_thread(self) -> None:
        """As Textual does, but a bug ends the console like any other: in one line, its traceback
        in a file."""
        try:
            self.run_input_thread()
        except Exception as error:  # Textual handles it where its loop runs
            self._app.call_later(self._app._handle_exception, error)

    def _pass_on(self, messages: Iterable[Message], read_s: float) -> None:
        for message in messages:
            # Keys read together arrived together, however long this machine takes for each.
            message.time = read_s
            self.process_message(message)
