"""Waits that grow: exact values, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.backoff import MAX_GROWTHS, Backoff
from fleet_tui.core.fleet import RetryPolicy

SLOW = Backoff(base_ms=500, cap_ms=30_000)


@pytest.mark.parametrize(
    ("tries", "ceiling_ms"), [(1, 500), (2, 1_000), (3, 2_000), (6, 16_000), (7, 30_000)]
)
def test_the_ceiling_doubles_from_the_base_up_to_the_cap(tries: int, ceiling_ms: int) -> None:
    assert SLOW.ceiling_ms(tries) == ceiling_ms
    assert SLOW.wait_ms(tries, 0.5) == ceiling_ms // 2


def test_another_factor_grows_by_that() -> None:
    policy = RetryPolicy(backoff_base_ms=100, backoff_cap_ms=10_000, factor=3.0)
    assert policy.backoff == Backoff(100, 10_000, 3.0)
    assert [Backoff(100, 10_000, 3.0).ceiling_ms(n) for n in (1, 2, 3)] == [100, 300, 900]
    assert Backoff(1_000_000, 10**12, 1.01).ceiling_ms(MAX_GROWTHS + 1) == int(
        1_000_000 * 1.01**MAX_GROWTHS
    )


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_wait_lies_between_nothing_and_the_ceiling_however_many_tries(
    tries: int, share: float
) -> None:
    assert 0 <= SLOW.wait_ms(tries, share) <= SLOW.ceiling_ms(tries) <= SLOW.cap_ms
