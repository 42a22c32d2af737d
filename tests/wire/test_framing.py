"""Bytes to lines: whatever the bytes, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.logs import MAX_LINE_CHARS
from fleet_tui.wire.framing import MAX_BUFFERED_BYTES, LineFramer, cut_line, frame_line


def frame(chunks: list[bytes]) -> list[str]:
    framer = LineFramer()
    lines = [line for chunk in chunks for line in framer.feed(chunk)] + framer.finish()
    return [cut_line(line) for line in lines]


PIECES = st.lists(
    st.one_of(st.binary(max_size=60), st.sampled_from([b"\r", b"\n", b"\r\n", b"10%"])), max_size=20
)


@given(PIECES)
def test_how_the_bytes_are_cut_does_not_matter(chunks: list[bytes]) -> None:
    assert frame(chunks) == frame([b"".join(chunks)])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=50)))
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
def test_a_line_without_an_end_is_cut_and_never_buffered(size: int, chunk: int) -> None:
    framer = LineFramer()
    for at in range(0, size, chunk):
        assert framer.feed(b"x" * min(chunk, size - at)) == []
        assert len(framer._buffer) <= MAX_BUFFERED_BYTES
    (framed,) = framer.feed(b"\n")
    line = cut_line(framed)
    kept, _, lost = line.partition(" …(+")
    assert len(line) <= MAX_LINE_CHARS
    assert len(kept) + int(lost.rstrip(")")) == size


def test_a_long_pause_in_the_middle_of_a_line() -> None:
    framer = LineFramer()
    assert framer.feed(b"half") == []
    assert framer.holds_something
    assert framer.rest() == [("half", 0)]
    assert not framer.holds_something
    assert framer.rest() == []
    assert framer.feed(b"\nnext\n") == [("next", 0)]  # its end alone is no line


def test_what_comes_after_a_long_pause_is_a_line() -> None:
    framer = LineFramer()
    framer.feed(b"Password: ")
    framer.rest()
    assert framer.feed(b"accepted\n\n") == [("accepted", 0), ("", 0)]


@given(st.text(min_size=1).filter(lambda text: not set(text) & set("\0\r\n")), st.data())
def test_no_pause_cuts_a_character(text: str, data: st.DataObject) -> None:
    written = text.encode("utf-8", "replace")
    framer = LineFramer()
    lines = []
    at = 0
    while at < len(written):
        size = data.draw(st.integers(1, 5))
        lines += framer.feed(written[at : at + size]) + framer.rest()
        at += size
    lines += framer.finish()
    assert "".join(line.text for line in lines) == written.decode()


def test_bytes_that_begin_no_character_do_not_wait_for_ever() -> None:
    framer = LineFramer()
    framer.feed(b"a\xe8\xab")
    assert framer.rest() == [("a", 0)]
    assert framer.rest() == []
    assert framer.feed(b"\n") == [("\\xe8\\xab", 0)]


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        ([b"\x8b has no number\n"], " has no number"),
        ([b"\x98", b"\x80a\n"], "a"),
        ([b"whole\x8b\n"], "whole\\x8b"),
        ([b"\x8b\x8b\x8b\x8b\n"], "\\x8b"),
    ],
)
def test_reading_may_begin_inside_a_character(chunks: list[bytes], text: str) -> None:
    framer = LineFramer()
    framer.begin_inside()
    assert [line.text for chunk in chunks for line in framer.feed(chunk)] == [text]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"10%\r20%\r100%\n", "100%"),
        (b"\r10%\r100%\n", "100%"),
        (b"10%\r100%\r\n", "100%"),
        (b"a\r\r\n", "a"),
        (b"\r\r\n", ""),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_line_that_was_written_over_is_what_it_was_last(
    written: bytes, shown: str, size: int
) -> None:
    assert frame([written[at : at + size] for at in range(0, len(written), size)]) == [shown]


def test_progress_without_an_end_is_not_too_long_a_line() -> None:
    framer = LineFramer()
    for step in range(20_000):
        framer.feed(b"%d of 20000\r" % step)
        assert len(framer._buffer) <= MAX_BUFFERED_BYTES
    assert framer.rest() == [("19999 of 20000", 0)]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_text_of_wide_characters_comes_out_as_lines(encoding: str, ends: str, size: int) -> None:
    written = f"ERROR disk gone{ends}\t next{ends}".encode(encoding)
    chunks = [written[at : at + size] for at in range(0, len(written), size)]
    assert frame(chunks) == ["ERROR disk gone", "\t next"]


def test_a_hole_where_a_file_was_cut_hides_nothing_that_follows() -> None:
    framer = LineFramer()
    assert framer.feed(b"\0" * 100_000) == []
    assert not framer.holds_something
    assert framer.feed(b"\0ERROR disk gone\n") == [("ERROR disk gone", 0)]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"one\r\ntwo", "one\ntwo"),
        (b"10%\r20%\r\ndone\r\n", "20%\ndone\n"),
        (b"one\n10%\r20%", "one\n20%"),
    ],
)
def test_of_what_is_said_at_once_no_line_is_lost(said: bytes, shown: str) -> None:
    assert frame_line(said) == shown


def test_line_ends_of_both_worlds() -> None:
    assert frame([b"a\r\nb\nc\r\n\n"]) == ["a", "b", "c", ""]
    assert frame_line(b"") == ""
