"""How long retries wait, and how many there may be: exact values, worked out by hand."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.backoff import Backoff
from fleet_tui.core.fleet import RetryBudget, RetryPolicy
from fleet_tui.core.ids import RunId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.model import Starts
from fleet_tui.core.tasks.retry import fraction_of, trace_id_of, wait_ms
from fleet_tui.core.tasks.retry_budget import counted, retry_allowance
from tests.support.fleets import agent, fleet

POLICY = RetryPolicy(backoff_base_ms=500, backoff_cap_ms=30_000, factor=2.0)


@pytest.mark.parametrize(
    ("tries", "ceiling"), [(1, 500), (2, 1_000), (3, 2_000), (6, 16_000), (7, 30_000), (99, 30_000)]
)
def test_the_ceiling_doubles_from_the_base_up_to_the_cap(tries: int, ceiling: int) -> None:
    assert POLICY.backoff.ceiling_ms(tries) == ceiling


def test_the_ceiling_stops_growing_after_as_many_tries_as_nobody_makes() -> None:
    slow = Backoff(base_ms=1_000_000, cap_ms=10**12, factor=1.01)
    assert slow.ceiling_ms(63) < slow.ceiling_ms(64) == slow.ceiling_ms(65)


def test_a_wait_after_no_try_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        POLICY.backoff.ceiling_ms(0)


def test_the_draw_is_the_first_56_bits_of_the_hash() -> None:
    digest = hashlib.sha256(b"T.1").hexdigest()
    assert fraction_of("T.1") == int(digest[:14], 16) / 16**14
    assert wait_ms(POLICY, 3, RunId("T.1")) == int(2_000 * fraction_of("T.1"))


@given(st.integers(1, 80), st.integers(1, 10**6))
def test_a_wait_is_never_longer_than_its_ceiling(tries: int, run: int) -> None:
    assert 0 <= wait_ms(POLICY, tries, RunId(f"T.{run}")) < POLICY.backoff.ceiling_ms(tries)


def test_waits_are_spread_over_all_of_their_span() -> None:
    waits = [wait_ms(POLICY, 7, RunId(f"T{n}.1")) for n in range(2_000)]
    tenths = [sum(low <= w < low + 3_000 for w in waits) for low in range(0, 30_000, 3_000)]
    assert min(tenths) > 150
    assert max(tenths) < 250


def test_a_trace_id_is_32_hex_digits_of_its_own() -> None:
    assert trace_id_of(RunId("T.1")) == hashlib.sha256(b"trace:T.1").hexdigest()[:32]
    assert len(trace_id_of(RunId("T.1"))) == 32


# The budget


def started(*starts: Starts, percent: int = 20, floor: int = 2) -> FleetState:
    spec = fleet(agent("a1"), retry_budget=RetryBudget(percent=percent, floor=floor))
    return FleetState(fleet=spec, recent_starts=starts)


def test_a_fleet_that_started_nothing_has_its_floor() -> None:
    assert retry_allowance(started(), 100_000) == 2
    assert retry_allowance(EMPTY_STATE, 100_000) == RetryBudget().floor


def test_the_share_of_first_starts_counts_where_it_is_more_than_the_floor() -> None:
    assert retry_allowance(started(Starts(100, first=19)), 100_000) == 3
    assert retry_allowance(started(Starts(100, first=14)), 100_000) == 2


def test_retries_of_the_last_minute_are_taken_off() -> None:
    starts = (Starts(100, first=20, retries=1), Starts(101, retries=2))
    assert retry_allowance(started(*starts), 101_000) == 4 - 3


def test_what_was_started_a_minute_ago_does_not_count_any_more() -> None:
    state = started(Starts(100, first=100, retries=1))
    assert retry_allowance(state, 159_999) == 19
    assert retry_allowance(state, 160_000) == 2


def test_placements_are_counted_by_second_and_forgotten_after_a_minute() -> None:
    starts = counted((), 100_999, retry=False)
    assert starts == (Starts(100, first=1),)
    starts = counted(starts, 100_000, retry=True)
    assert starts == (Starts(100, first=1, retries=1),)
    starts = counted(starts, 101_000, retry=True)
    assert starts == (Starts(100, first=1, retries=1), Starts(101, retries=1))
    assert counted(starts, 160_000, retry=False) == (Starts(101, retries=1), Starts(160, first=1))
    assert counted(starts, 159_000, retry=False)[0] == Starts(100, first=1, retries=1)


def test_a_clock_that_ran_backwards_counts_in_the_newest_second() -> None:
    starts = (Starts(50, first=3), Starts(100, first=1, retries=4))
    assert counted(starts, 40_000, retry=False)[-1] == Starts(100, first=2, retries=4)
    assert counted(starts, 40_000, retry=True) == (
        Starts(50, first=3),
        Starts(100, first=1, retries=5),
    )
