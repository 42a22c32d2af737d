"""Dollars as agents tell them, and as the ledger counts them."""

import pytest

from fleet_tui.core.tasks.evidence import MAX_COST_USD, microusd


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        (0.0, 0),
        (0, 0),
        (0.003555, 3_555),
        (2.5, 2_500_000),
        (0.0000016, 2),
        (MAX_COST_USD, 10**12),
    ],
)
def test_dollars_are_counted_in_millionths(usd: float, expected: int) -> None:
    assert microusd(usd) == expected


@pytest.mark.parametrize("usd", [4e-7, 1e-300])
def test_a_cost_is_never_told_as_free(usd: float) -> None:
    assert microusd(usd) == 1


@pytest.mark.parametrize(
    "usd", [-1.0, -1e-9, -0.0, float("nan"), float("inf"), 1_000_000.5, 1e308, 10**400]
)
def test_what_is_no_amount_of_money_is_none(usd: float) -> None:
    assert microusd(usd) is None
