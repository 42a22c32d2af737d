"""Nothing that comes through the firewall can do anything but be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.text.firewall import (
    MAX_COMBINING_RUN,
    invisible_count,
    safe_line,
    safe_text,
)
from fleet_tui.core.text.untrusted import Untrusted
from tests.support import payloads

NASTY = st.text(
    st.one_of(
        st.characters(codec=None),
        st.sampled_from(
            "\x1b\x9b\x00\x07\r\n\t\u202e\u200d\u0301\u0489\ufe0f\u3164[]/\ud800\udc80"
        ),
    ),
    max_size=200,
)

STORM = "⚠" + "\u0301" * MAX_COMBINING_RUN


@given(NASTY, st.integers(16, 300))
def test_what_comes_out_is_printable_bounded_and_stays_as_it_is(raw: str, limit: int) -> None:
    shown = safe_line(raw, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    assert safe_line(shown, limit) == shown
    assert invisible_count(shown) == 0


@given(NASTY)
def test_untrusted_and_plain_text_are_treated_alike(raw: str) -> None:
    assert safe_line(Untrusted(raw)) == safe_line(raw)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=100))
def test_plain_text_and_its_brackets_are_kept(raw: str) -> None:
    assert safe_line(raw) == raw


@given(NASTY, st.integers(1, 8), st.integers(16, 60))
def test_lines_are_bounded_in_both_directions(raw: str, max_lines: int, limit: int) -> None:
    shown = safe_text(raw, max_lines, limit)
    assert 1 <= len(shown) <= max_lines
    assert all(line.isprintable() and len(line) <= limit for line in shown)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_shown(data: bytes) -> None:
    assert safe_line(data.decode(errors="backslashreplace")).isprintable()


@pytest.mark.parametrize("payload", payloads.ALL)
def test_payloads_are_neutral(payload: str) -> None:
    shown = safe_line(payload)
    assert shown.isprintable()
    assert "\x1b" not in shown


@pytest.mark.parametrize("payload", payloads.MARKUP)
def test_markup_is_text_like_any_other(payload: str) -> None:
    assert safe_line(payload) == payload


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b]52;c;x\x07", "␛]52;c;x␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("a\x00b\x7f", "a␀b␡"),
        ("a\tb\nc\r", "a b␊c␍"),
        ("\u202eexe", "<U+202E>exe"),
        ("\u3164\U000e0041", "<U+3164><U+E0041>"),
        ("\ud800\udcff", "<U+D800>\\xff"),
        ("e" + "\u0301" * 60, "e" + "\u0301" * 4 + "<+56 marks>"),
        ("⚠\ufe0f", "⚠"),
        ("⚠\ufe0f\ufe0f", "⚠<U+FE0F>"),
        ("x\u00a0y", "x y"),
        ("漢字 é", "漢字 é"),
        ("a" + "\u20dd" * 6, "a" + "\u20dd" * 4 + "<+2 marks>"),
        ("a" + "\U0001d165" * 6, "a" + "\U0001d165" * 4 + "<+2 marks>"),
        ("ก" + "\u0e31" * 6, "ก" + "\u0e31" * 4 + "<+2 marks>"),
        ("→→→→→→", "→→→→→→"),
        ("⚠" + "\u0301" * 5 + "⚠" + "\u0301" * 6, STORM + "<+1 marks>" + STORM + "<+2 marks>"),
        ("", ""),
    ],
)
def test_how_it_looks(raw: str, shown: str) -> None:
    assert safe_line(raw) == shown


def test_marks_are_cut_after_four_wherever_they_stand() -> None:
    shown = safe_line(("a" + "\u0301" * 9 + " ") * 3)
    assert shown == ("a" + "\u0301" * MAX_COMBINING_RUN + "<+5 marks> ") * 3


def test_a_cut_says_how_much_is_missing() -> None:
    assert safe_line("x" * 100, 20) == "x" * 13 + "…(+87)"
    assert safe_line("x" * 20, 20) == "x" * 20
    kept, _, lost = safe_line("y" * 10_000_000).partition("…(+")
    assert len(kept) + int(lost.removesuffix(")")) == 10_000_000


def test_missing_lines_are_counted() -> None:
    assert safe_text("a\r\nb\nc", 3) == ("a", "b", "c")
    assert safe_text("a\nb\nc\nd", 3) == ("a", "b", "…(+2 lines)")
    assert safe_text("a\n" * 1_000_000, 2) == ("a", "…(+1000000 lines)")
    assert safe_text("only") == ("only",)
    assert len(safe_text("a\n" * 5_000)) == 1_000


def test_what_cannot_be_seen_is_counted() -> None:
    assert invisible_count("a\u00a0blank\u3000is seen") == 0
    assert invisible_count("a tab\tand\r\nlines") == 0
    assert invisible_count("\u202ea\u200b\x1b\U000e0041\u3164") == 5
    assert invisible_count(Untrusted("plain")) == 0
