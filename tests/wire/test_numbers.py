"""Numbers as agents tell them."""

import pytest

from fleet_tui.wire.numbers import MAX_COUNT, count, finite

STRANGE = (
    None,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e300,
    -1,
    -1e-9,
    10**400,
    MAX_COUNT + 1,
)


@pytest.mark.parametrize("number", STRANGE)
def test_what_cannot_be_an_amount_is_none(number: float | None) -> None:
    assert (count(number), finite(number)) == (None, None)


@pytest.mark.parametrize(("number", "whole"), [(0, 0), (2.75, 2), (MAX_COUNT, MAX_COUNT)])
def test_what_can_be_is_believed(number: float, whole: int) -> None:
    assert (count(number), finite(number)) == (whole, number)
