"""What people type for spans, numbers and moments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.text.quantities import instant_ms, number, span_ms

NOW_MS = 1_795_262_671_118  # 2026-11-21 12:04:31.118 UTC


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("500ms", 500),
        ("5s", 5_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("2d", 172_800_000),
        ("5", None),
        ("", None),
        ("5 s", None),
        ("s", None),
        ("-5s", None),
        ("٥s", None),
    ],
)
def test_spans(text: str, ms: float | None) -> None:
    assert span_ms(text) == ms


def test_numbers() -> None:
    assert number("12k") == 12_000
    assert number("80%") == 80
    assert number("$4") == 4_000_000
    assert number("5", 1_000) == 5_000
    assert number("3.1x") == pytest.approx(3.1)
    assert number("up") is None


def test_moments() -> None:
    assert instant_ms("10m", NOW_MS) == NOW_MS - 600_000
    assert instant_ms("12:00", NOW_MS) == NOW_MS - 271_118
    assert instant_ms("12:05", NOW_MS) == NOW_MS - 271_118 + 300_000 - 86_400_000
    assert instant_ms("13:00", NOW_MS, 60) == NOW_MS - 271_118
    assert instant_ms("12:04:30", NOW_MS) == NOW_MS - 1_118
    assert instant_ms("0:04", NOW_MS, 720) == NOW_MS - 31_118, "the day is the local one"
    assert instant_ms("12:04", NOW_MS, -720) == NOW_MS - 31_118 - 43_200_000
    assert instant_ms("12:00", NOW_MS - 271_118) == NOW_MS - 271_118, "now is not a day ago"
    assert instant_ms("2026-11-21", NOW_MS) == NOW_MS // 86_400_000 * 86_400_000
    assert instant_ms("2026-11-21T12:00", NOW_MS, 60) == NOW_MS - 271_118 - 3_600_000
    for wrong in ("25:00", "2026-13-01", "yesterday", "", "12"):
        assert instant_ms(wrong, NOW_MS) is None


@given(st.text(max_size=30))
def test_any_text_is_answered(text: str) -> None:
    span_ms(text)
    number(text)
    instant_ms(text, NOW_MS)


@pytest.mark.parametrize("text", ["1m1h", "5s5s", "", "5", ".5s", "5.s", "1h 30m", "1e3s", "-5s"])
def test_what_is_no_span(text: str) -> None:
    assert span_ms(text) is None


def test_a_span_is_exact_to_the_millisecond() -> None:
    assert span_ms("1.1d") == 95_040_000
    assert span_ms("1.5h") == span_ms("1h30m") == 5_400_000
    assert span_ms("1d2h3m4s5ms") == 93_784_005
