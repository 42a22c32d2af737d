"""Numbers and times are written one way, short, with a unit."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.text import quantities, words

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "-"),
        (0, "0s"),
        (999, "0s"),
        (42_000, "42s"),
        (184_000, "3m04s"),
        (3_900_000, "1h05m"),
        (187_200_000, "2d04h"),
        (-5_000, "-5s"),
        (-5, "0s"),
        (-1_000, "-1s"),
        (59_999, "59s"),
        (60_000, "1m00s"),
        (3_599_999, "59m59s"),
        (3_600_000, "1h00m"),
        (86_399_999, "23h59m"),
        (86_400_000, "1d00h"),
    ],
)
def test_durations(ms: float | None, text: str) -> None:
    assert words.duration(ms) == text


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (words.latency, 412, "412ms"),
        (words.latency, 1_800, "1.8s"),
        (words.latency, 999.6, "1.0s"),
        (words.latency, 999.5, "1.0s"),
        (words.latency, 0.4, "0ms"),
        (words.latency, 99_949, "99.9s"),
        (words.latency, 99_950, "1m39s"),
        (words.latency, 184_000, "3m04s"),
        (words.seconds, 700, "0.7s"),
        (words.seconds, 184_000, "3m04s"),
        (words.seconds, 99_949, "99.9s"),
        (words.seconds, 99_950, "1m39s"),
        (words.seconds, -5_000, "0.0s"),
        (words.about, 60_000, "1m"),
        (words.about, 172_800_000, "2d"),
        (words.about, -5_000, "0s"),
        (words.about, 130_000, "2m"),
        (words.about, 7_300_000, "2h"),
        (words.about, 900, "0s"),
        (words.count, 999, "999"),
        (words.count, 1_000, "1.0k"),
        (words.count, 12_800, "12.8k"),
        (words.count, 99_949, "99.9k"),
        (words.count, 99_950, "100k"),
        (words.count, 999_499, "999k"),
        (words.count, 999_500, "1.0M"),
        (words.count, 5_000_000_000, "5.0G"),
        (words.count, 999 * 10**12, "999.0T"),
        (words.count, 128_000, "128k"),
        (words.count, 999_999, "1.0M"),
        (words.count, -1_500, "-1.5k"),
        (words.grouped, 11_636, "11 636"),
        (words.money, 4_120_000, "$4.12"),
        (words.money, 31_000, "$0.031"),
        (words.money, 0, "$0.00"),
        (words.money, 1, "<$0.001"),
        (words.money, -390_000, "-$0.39"),
        (words.money, 12_800_000_000, "$12.8k"),
        (words.money, 500, "$0.001"),
        (words.money, 99_499, "$0.099"),
        (words.money, 99_500, "$0.10"),
        (words.money, 500_005_400, "$500.01"),
        (words.money, 999_994_999, "$999.99"),
        (words.money, 999_995_000, "$1.0k"),
        (words.money, 1_000_000_000, "$1.0k"),
        (words.money_rate, 4_120_000, "$4.12/h"),
        (words.percent, 7.94, "7.9%"),
        (words.per_minute, 41, "41/min"),
        (words.per_minute, 0.44, "0.4/min"),
        (words.per_minute, 0, "0/min"),
        (words.per_minute, 9.949, "9.9/min"),
        (words.per_minute, 9.95, "10/min"),
        (words.per_minute, 10, "10/min"),
        (words.change_per_minute, 18, "+18/min"),
        (words.change_per_minute, -4, "-4/min"),
        (words.change_per_minute, 0.2, "0/min"),
        (words.size, 512, "512 B"),
        (words.size, 1_023, "1023 B"),
        (words.size, 1_024, "1.0 KiB"),
        (words.size, -1_536, "-1.5 KiB"),
        (words.size, 1_048_166, "1023.6 KiB"),
        (words.size, 1_048_550, "1.0 MiB"),
        (words.size, 3 * 2**30, "3.0 GiB"),
        (words.size, 2_000 * 2**40, "2000.0 TiB"),
        (words.size, 1_572_864, "1.5 MiB"),
        (words.size, 1_048_575, "1.0 MiB"),
    ],
)
def test_one_spelling_each(write: Callable[[float], str], value: float, text: str) -> None:
    assert write(value) == text


@pytest.mark.parametrize(
    "write",
    [
        words.duration,
        words.about,
        words.latency,
        words.seconds,
        words.count,
        words.grouped,
        words.money,
        words.money_rate,
        words.percent,
        words.per_minute,
        words.change_per_minute,
        words.size,
        words.clock,
        words.clock_minutes,
        words.clock_ms,
        words.date_clock,
    ],
)
def test_unknown_is_not_zero(write: Callable[[None], str]) -> None:
    assert write(None) == words.MISSING


def test_clocks() -> None:
    at_ms = 1_795_262_671_118
    assert words.clock(at_ms) == "12:04:31"
    assert words.clock_ms(at_ms) == "12:04:31.118"
    assert words.clock_minutes(at_ms, 120) == "14:04"
    assert words.date_clock(at_ms, -750) == "2026-11-20 23:34:31"
    assert words.clock_minutes(at_ms) == "12:04"
    assert words.date_clock(at_ms) == "2026-11-21 12:04:31"
    assert words.clock(0) == "00:00:00"
    assert words.clock(10**18) == "?"
    assert words.clock_ms(10**18) == "?"
    assert words.date_clock(words.MAX_INSTANT_MS - DAY_MS, 720) == "9999-12-31 11:59:59"
    assert words.date_clock(words.MAX_INSTANT_MS - DAY_MS + 1) == "?"
    assert words.clock_minutes(-1) == "?"
    assert words.age(at_ms - 4_000, at_ms) == "4s"
    assert words.age(at_ms + 4_000, at_ms) == "0s"
    assert words.plural(1, "agent") == "1 agent"
    assert words.plural(2, "entry", "entries") == "2 entries"


@given(st.integers(0, 10**9))
def test_a_duration_reads_back_to_within_its_smaller_unit(ms: int) -> None:
    read = quantities.span_ms(words.duration(ms))
    assert read is not None
    largest = next((u for u in (DAY_MS, 3_600_000, 60_000) if ms >= u), 1_000)
    smaller = {DAY_MS: 3_600_000, 3_600_000: 60_000, 60_000: 1_000}.get(largest, 1_000)
    assert 0 <= ms - read < smaller


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_counts_and_money_are_short_and_keep_their_order(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert len(words.count(high)) <= 6
    if high < 10**12:
        read_low, read_high = (quantities.number(words.count(n)) for n in (low, high))
        assert read_low is not None
        assert read_high is not None
        assert read_low <= read_high


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_latencies_fit_a_column(one: float, other: float) -> None:
    assert len(words.latency(one)) <= 9
    assert len(words.seconds(other)) <= 9


@given(st.integers(-(10**20), 10**20), st.integers(-14 * 60, 14 * 60))
def test_any_instant_can_be_written(at_ms: int, offset_minutes: int) -> None:
    assert len(words.clock(at_ms, offset_minutes)) in (1, 8)
    assert len(words.date_clock(at_ms, offset_minutes)) in (1, 19)


@given(st.integers(), st.integers())
def test_no_age_is_negative(at_ms: int, now_ms: int) -> None:
    assert words.elapsed_ms(at_ms, now_ms) == max(0, now_ms - at_ms)
    assert not words.age(at_ms, now_ms).startswith("-")
