"""What a host sends of a log file becomes whole lines, however it was written."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest

from fleet_tui.core.ids import AgentName, Epoch
from fleet_tui.core.logs import MAX_LINE_CHARS, Level, LogGap
from fleet_tui.wire.programs import logtail
from fleet_tui.wire.programs.logtail import LogTail
from fleet_tui.wire.programs.wrapper import PROTOCOL, Program, RunDirectory, RunWrapper
from fleet_tui.wire.shell import ByteSource, RunResult

BEAT = b"beat\n"


def blob(data: bytes) -> bytes:
    return b"blob log %d\n" % len(data) + data + b"\n"


class Scripted:
    """A host that answers with what it was told to; afterwards it stays silent."""

    def __init__(self, said: Sequence[bytes]) -> None:
        self.long_polls = asyncio.Semaphore(1)
        self.log_streams = asyncio.Semaphore(1)
        self._left = [PROTOCOL, b"state tailing\n", *said]

    async def run(self, command: str, stdin: bytes = b"", **limits: int) -> RunResult:
        raise AssertionError("a log is streamed")

    @asynccontextmanager
    async def stream(self, command: str, stdin: bytes) -> AsyncIterator[ByteSource]:
        yield self

    async def read(self, max_bytes: int = 65_536, /) -> bytes:
        if not self._left:
            await asyncio.Event().wait()
        return self._left.pop(0)


async def read(*said: bytes, count: int) -> list[tuple[str, Level]]:
    """The first ``count`` lines that come of what a host says; a gap is a line too."""
    host = Scripted(said)

    async def reach() -> Scripted:
        return host

    tail = LogTail(
        "/var/log/a.log",
        agent=AgentName("a"),
        wrapper=RunWrapper(
            Program(command=("cat",), run_dir="/run"), RunDirectory(Epoch(1)), lambda: 0
        ),
        reach=reach,
        now_ms=lambda: 0,
        traces={},
    )
    found: list[tuple[str, Level]] = []
    async with aclosing(tail.lines()) as lines:
        while len(found) < count:
            item = await anext(lines)
            if isinstance(item, LogGap):
                found.append((f"gap: {item.reason}", Level.UNKNOWN))
            else:
                found.append((item.text.raw, item.level))
    return found


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """No silence in the test is as long as one that ends a line."""
    monkeypatch.setattr(logtail, "UNFINISHED_LINE_S", 1e9)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sign of life comes after a silence that ends a line."""
    monkeypatch.setattr(logtail, "UNFINISHED_LINE_S", 0)


def test_a_silence_that_ends_a_line_is_a_long_one() -> None:
    """A program may stop to think in the middle of a line."""
    assert logtail.UNFINISHED_LINE_S >= 30


INVOICE = "10:00:01 ERROR the invoice 請 has no number\n10:00:04 INFO next\n".encode()


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize("at", range(1, len(INVOICE)))
async def test_a_line_in_two_writes_is_one_line(at: int) -> None:
    said = (b"at 7 0\n", blob(INVOICE[:at]), BEAT, BEAT, blob(INVOICE[at:]))
    assert await read(*said, count=2) == [
        ("10:00:01 ERROR the invoice 請 has no number", Level.ERROR),
        ("10:00:04 INFO next", Level.INFO),
    ]


@pytest.mark.usefixtures("generous")
async def test_a_line_goes_on_in_the_next_stream() -> None:
    said = (b"at 7 0\n", blob(b"one "), b"end\n", PROTOCOL, b"state tailing\n", blob(b"line\n"))
    assert await read(*said, count=1) == [("one line", Level.UNKNOWN)]


@pytest.mark.usefixtures("silent")
async def test_after_a_long_silence_an_unfinished_line_is_shown() -> None:
    said = (b"at 7 0\n", blob(b"Password for \xe8\xab"), BEAT, blob(b"\x8b: "), BEAT)
    assert await read(*said, count=2) == [("Password for ", Level.UNKNOWN), ("請: ", Level.UNKNOWN)]


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ((b"at 8 0\n", blob(b"new\n")), ["old", "new"]),
        ((b"truncated\n", b"at 7 0\n", blob(b"new\n")), ["old", "gap: log truncated", "new"]),
        ((b"rotated\n", b"at 8 0\n", blob(b"new\n")), ["old", "gap: log rotated", "new"]),
    ],
)
async def test_a_line_ends_with_its_file(said: tuple[bytes, ...], lines: list[str]) -> None:
    found = await read(b"at 7 0\n", blob(b"old"), *said, count=len(lines))
    assert [text for text, _ in found] == lines


@pytest.mark.usefixtures("generous")
async def test_reading_that_begins_inside_a_character_shows_no_half_of_it() -> None:
    found = await read(b"at 7 20\n", blob(b"\x8b has\n"), count=1)
    assert found == [(" has", Level.UNKNOWN)]


@pytest.mark.usefixtures("generous")
async def test_progress_shows_its_last_state() -> None:
    said = (b"at 7 0\n", blob(b"10%\r"), BEAT, blob(b"20%\r"), blob(b"done, WARN: slow\r\n"))
    assert await read(*said, count=1) == [("done, WARN: slow", Level.WARN)]


@pytest.mark.usefixtures("generous")
async def test_a_secret_where_a_long_line_is_cut_does_not_come_through() -> None:
    line = b"x" * (MAX_LINE_CHARS - 30) + b" sk-" + b"a1b2c3d4" * 4 + b" end\n"
    ((text, _),) = await read(b"at 7 0\n", blob(line), count=1)
    assert len(text) <= MAX_LINE_CHARS
    assert "a1b2" not in text


@pytest.mark.parametrize("number", ["²", "٣", "-1", "+1", "007", "1_0", "", "9" * 16, "9" * 4_500])
@pytest.mark.parametrize("words", ["blob log", "at 7"])
async def test_a_number_that_is_none_ends_the_stream_and_not_the_reading(
    words: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logtail, "RETRY_S", 0)
    first = (b"at 7 0\n", blob(b"one\n"), f"{words} {number}\n".encode())
    again = (PROTOCOL, b"state tailing\n", b"at 7 4\n", blob(b"two\n"))
    assert await read(*first, *again, count=2) == [("one", Level.UNKNOWN), ("two", Level.UNKNOWN)]
