"""What may pass between the program and the terminal, both ways."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._xterm_parser import XTermParser
from textual.message import Message

from fleet_tui.console.terminal.seatbelt import (
    MAX_CLIPBOARD_CHARS,
    MAX_REPLY_CHARS,
    ReplyFilter,
    SeatbeltDriver,
    belted,
    clipboard_sequence,
    notification_sequence,
    title_sequence,
)
from tests.support import payloads

ALLOWED = re.compile("\x1b\\[[0-9;:]*[mABCDGHJK]")
HARMLESS = {"\x1b[31mred\x1b[0m", "\x1b[2J\x1b[H", "\x1b[10A\x1b[2K"}
"""Colours and movements cannot be told from our own; the firewall is what stops them."""


@pytest.mark.parametrize("payload", sorted(set(payloads.ESCAPES) - HARMLESS - {"\x07"}))
def test_payloads_do_not_reach_the_terminal(payload: str) -> None:
    for text in (payload, f"\x1b[1;1H{payload}\x1b[0m"):
        written = ALLOWED.sub("", belted(text))
        if text == payload and re.fullmatch(r"(\x1b\[\?[0-9]+[hl])+|\x1b\[6n", payload):
            continue  # alone it is what Textual itself writes; a frame never is alone
        assert "\x1b" not in written
        assert written.replace("\n", "").replace("\r", "").isprintable()


@given(st.text(st.sampled_from("\x1b\x9b\x07\x00[]?;:0123456789mHhlqcnP\\a \u202e"), max_size=60))
def test_what_is_written_holds_nothing_but_what_is_allowed(text: str) -> None:
    frame = f"\x1b[1;1Hframe{text}"
    rest = ALLOWED.sub("", belted(frame))
    assert "\x1b" not in rest
    assert rest.isprintable()
    assert belted(belted(frame)) == belted(frame)


@pytest.mark.parametrize(
    "own",
    [
        "\x1b[?1049h",
        "\x1b[?1000h",
        "\x1b[?2026$p",
        "\x1b[?2026h",
        "\x1b[>25u",
        "\x1b[<u",
        "\x1b[?25l",
        "\x1b[3;4H\x1b[38;5;117;1mtext ● 漢字\x1b[0m\r\n",
        "\x07",
    ],
)
def test_what_textual_needs_passes(own: str) -> None:
    assert belted(own) == own


def test_sequences_of_our_own() -> None:
    assert clipboard_sequence("né") == "\x1b]52;c;bsOp\x07"
    assert clipboard_sequence("x" * MAX_CLIPBOARD_CHARS) is None
    assert title_sequence("✗1 prod\x07\x1b") == "\x1b]2;✗1 prod␇␛\x07"
    assert notification_sequence("a\nb") == "\x1b]9;a␊b\x07"


class Written(SeatbeltDriver):
    """A driver whose terminal is a list."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    class _Terminal:
        def __init__(self, sent: list[str]) -> None:
            self.write = sent.append

    def start(self) -> None:
        self._writer_thread = self._Terminal(self.sent)  # type: ignore[assignment]  # a stand-in


def test_only_sequences_of_our_own_pass_by_the_back_door() -> None:
    driver = Written()
    driver.start()
    sequence = clipboard_sequence("text")
    assert sequence is not None
    driver.write_own(sequence)
    driver.write_own(title_sequence("prod"))
    driver.write(sequence)
    assert driver.sent == [sequence, title_sequence("prod"), "␛]52;c;dGV4dA==␇"]
    for wrong in ("text", "\x1b[c", "\x1b]52;c;?\x07", "\x1b]8;;http://x\x07", sequence * 2):
        with pytest.raises(ValueError, match="not a sequence of ours"):
            driver.write_own(wrong)


# --- inwards ---


def keys(data: str) -> list[str]:
    """The keys Textual makes of some input, waiting included."""
    parser = XTermParser()
    found = list(parser.feed(data)) if data else []
    found += list(parser.feed(""))
    return [event.key for event in found if isinstance(event, events.Key)]


def through(pieces: list[str]) -> str:
    replies = ReplyFilter()
    kept = "".join(replies.feed(piece) for piece in pieces)
    return kept + (replies.flush() if replies.patience_s is not None else "")


@pytest.mark.parametrize("reply", payloads.REPLIES)
def test_answers_of_the_terminal_are_not_keys(reply: str) -> None:
    assert through([reply]) == ""
    assert through([f"a{reply}b"]) == "ab"
    assert through(list(f"a{reply}b")) == "ab"
    assert keys(through([reply] * 3)) == []


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["a", "Z", "\r", "\t", "\x1b[A", "\x1b[1;5C", "\x1b[97;5u", "\x1bOP"]),
            st.sampled_from(payloads.REPLIES).map(lambda reply: ("reply", reply)),
            st.sampled_from(["\x1b[<0;3;4M", "\x1b[I", "\x1b[48;24;80;480;800t", "\x1b[?2026;2$y"]),
            st.sampled_from(["\x1b[200~pasted \x1b]52;c;x\x07 text\x1b[201~", "漢"]),
        ),
        max_size=8,
    ),
    st.data(),
)
def test_everything_else_arrives_however_it_is_cut(
    parts: list[str | tuple[str, str]], data: st.DataObject
) -> None:
    sent = "".join(part if isinstance(part, str) else part[1] for part in parts)
    wanted = "".join(part for part in parts if isinstance(part, str))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    assert through(pieces) == wanted


def test_keys_that_look_like_a_beginning_still_work() -> None:
    replies = ReplyFilter()
    for key in ("\x1b", "\x1b]", "\x1bP"):
        assert replies.feed(key) == ""
        assert replies.patience_s is not None
        assert replies.flush() == key
        assert replies.patience_s is None
    assert keys(through(["\x1b"])) == ["escape"]


def test_an_answer_that_never_ends_is_given_up() -> None:
    replies = ReplyFilter()
    assert replies.feed("\x1b]52;c;AAAA") == ""
    assert replies.flush() == ""
    assert replies.feed("j") == "j"
    assert replies.feed("\x1b]52;c;") == ""
    assert replies.feed("A" * MAX_REPLY_CHARS) == ""
    assert replies.feed("j") == "j"
    assert replies.swallowed == 1


def test_another_sequence_ends_an_answer() -> None:
    assert through(["\x1b]11;rgb:1\x1b[Aj"]) == "\x1b[Aj"


class SlowHands(SeatbeltDriver):
    """A driver that reads a pipe, on a machine that takes 20 ms to pass a key on."""

    def __init__(self, fileno: int, count: int) -> None:
        self.fileno = fileno
        self.exit_event = threading.Event()
        self.passed_on: list[events.Key] = []
        self.now_s = 0.0
        """By the clock that Textual stamps its messages with."""
        self._debug = False
        self._count = count

    def process_message(self, message: Message) -> None:
        assert isinstance(message, events.Key)
        self.passed_on.append(message)
        self.now_s += 0.02
        if len(self.passed_on) == self._count:
            self.exit_event.set()


def times_of(pieces: list[bytes], count: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The times of ``count`` keys, each piece being there to be read when the one before was."""
    theirs, ours = os.pipe()
    driver = SlowHands(theirs, count)
    monkeypatch.setattr("textual._time.get_time", lambda: driver.now_s)
    real, waiting = os.read, iter(pieces)

    def read(fileno: int, size: int) -> bytes:
        found = real(fileno, size)
        if fileno == theirs and (piece := next(waiting, b"")):
            os.write(ours, piece)
        return found

    os.write(ours, next(waiting))
    monkeypatch.setattr(os, "read", read)
    try:
        driver.run_input_thread()
    finally:
        os.close(theirs)
        os.close(ours)
    return [key.time for key in driver.passed_on]


def test_keys_that_were_read_at_once_came_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(set(times_of([b"jjjjjj\x1b[A\x1b[106ujC"], 10, monkeypatch))) == 1


def test_keys_that_were_read_one_by_one_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = times_of([b"C", b"y"], 2, monkeypatch)
    assert first < second


# --- in a real terminal ---

PROGRAM = """
import sys
from textual.app import App
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget
from fleet_tui.console.terminal.seatbelt import SeatbeltDriver
from tests.support import payloads

class Careless(Widget):
    can_focus = True
    def render_line(self, y):
        text = payloads.ESCAPES[y] if y < len(payloads.ESCAPES) else ""
        return Strip([Segment(f"{y} {text}")])
    def on_key(self, event):
        self.app.pressed.append(event.key)
        if event.key == "q":
            self.app.exit()

class Program(App):
    pressed = []
    def compose(self):
        yield Careless()
    def on_mount(self):
        self.query_one(Careless).focus()

app = Program(driver_class=SeatbeltDriver)
app.run()
print("PRESSED", *app.pressed, "DONE")
"""


def read_until(fd: int, wanted: bytes, deadline_s: float = 30.0) -> bytes:
    """What a terminal is sent up to some text. Fails if it does not come."""
    seen = b""
    end = time.monotonic() + deadline_s
    while wanted not in seen:
        ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{wanted!r} did not come; the end was {seen[-300:]!r}"
        seen += os.read(fd, 65_536)
    return seen


def test_in_a_terminal_nothing_unsafe_is_sent_and_no_answer_is_a_key() -> None:
    main, other = pty.openpty()
    env = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "LINES": "60",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=other, stdout=other, stderr=other, env=env
    )
    os.close(other)
    try:
        sent = read_until(main, f"{len(payloads.ESCAPES) - 1} ".encode())
        os.write(main, b"j")
        for reply in payloads.REPLIES:
            os.write(main, reply.encode())
        os.write(main, b"k\x1b[Aq")
        sent += read_until(main, b"DONE")
        program.wait(30)
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGKILL)
            program.wait()
        os.close(main)
    text = sent.decode("utf-8")
    modes = re.compile(r"\x1b\[\?[0-9]+(?:[hl]|\$p)|\x1b\[>[0-9]+u|\x1b\[<u|\x1b\]22;[a-z]+\x07")
    rest = modes.sub("", ALLOWED.sub("", text)).replace("\r", "").replace("\n", "")
    assert "\x1b" not in rest
    assert rest.isprintable(), [char for char in rest if not char.isprintable()]
    assert "␛]52;c;" in rest
    assert "PRESSED j k up q DONE" in rest
