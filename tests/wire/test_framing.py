"""Bytes to lines: whatever the bytes, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.logs import MAX_LINE_CHARS, Level
from fleet_tui.wire.framing import MAX_HELD_BYTES, LineFramer, frame_line, read_level


def frame(chunks: list[bytes]) -> list[str]:
    framer = LineFramer()
    return [line for chunk in chunks for line in framer.feed(chunk)] + framer.flush()


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_how_the_bytes_are_cut_does_not_matter(chunks: list[bytes]) -> None:
    assert frame(chunks) == frame([b"".join(chunks)])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=50)))
def test_text_comes_out_as_it_went_in(lines: list[str]) -> None:
    assert frame(["".join(f"{line}\n" for line in lines).encode()]) == lines


@given(st.binary())
def test_any_bytes_become_text_that_can_be_stored(data: bytes) -> None:
    for line in frame([data]):
        assert len(line) <= MAX_LINE_CHARS
        line.encode("utf-8")


def test_invalid_utf8_is_shown_as_bytes() -> None:
    assert frame([b"a\xffb\n"]) == ["a\\xffb"]


@pytest.mark.parametrize("size", [100_000, 10_000_000])
@pytest.mark.parametrize("chunk", [999, 65_536])
def test_a_line_without_an_end_is_cut_and_never_held(size: int, chunk: int) -> None:
    framer = LineFramer()
    for at in range(0, size, chunk):
        assert framer.feed(b"x" * min(chunk, size - at)) == []
        assert len(framer._held) <= MAX_HELD_BYTES
    (line,) = framer.feed(b"\n")
    kept, _, lost = line.partition(" …(+")
    assert len(line) <= MAX_LINE_CHARS
    assert len(kept) + int(lost.rstrip(")")) == size


def test_a_pause_in_the_middle_of_a_line() -> None:
    framer = LineFramer()
    assert framer.feed(b"half") == []
    assert framer.holds_something
    assert framer.flush() == ["half"]
    assert not framer.holds_something
    assert framer.flush() == []


def test_line_ends_of_both_worlds() -> None:
    assert frame([b"a\r\nb\nc\r\n\n"]) == ["a", "b", "c", ""]
    assert frame_line(b"") == ""


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-01-01 ERROR it broke", Level.ERROR),
        ("[warn] careful", Level.WARN),
        ('{"level":"debug","msg":"error"}', Level.DEBUG),
        ("ts=1 level=info msg=x", Level.INFO),
        ("all is well, no errors", Level.UNKNOWN),
        ('{"level":99}', Level.UNKNOWN),
        ("", Level.UNKNOWN),
    ],
)
def test_the_level_a_line_names(line: str, level: Level) -> None:
    assert read_level(line) is level
