"""The nearest names to one that nothing has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.text.near import MAX_COMPARED_CHARS, MAX_COMPARED_NAMES, nearest


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("GPU", ["browser", "gpu"], ["gpu"]),
        ("gpu", ["GPU"], ["GPU"]),
        ("eu_west", ["us-east", "eu-west"], ["eu-west"]),
        ("EU WEST", ["us-east", "eu-west"], ["eu-west"]),
        ("eu-west", ["EU_WEST"], ["EU_WEST"]),
        ("gpuu", ["GPU"], ["GPU"]),
        ("mars", ["eu-west"], []),
        ("", ["a"], []),
        ("a", [], []),
    ],
)
def test_capitals_and_separators_make_no_difference(
    name: str, known: list[str], near: list[str]
) -> None:
    assert nearest(name, known) == near


def test_no_more_are_given_and_compared_than_asked_for() -> None:
    assert nearest("web-0", ["web-1", "web-2", "web-3"], count=2) == ["web-3", "web-2"]
    assert nearest("gqu", ["abc", "gpu"], most=1) == []
    assert nearest("x" * (MAX_COMPARED_CHARS + 1), ["x" * MAX_COMPARED_CHARS]) == []
    assert nearest("gqu", [*(["far too long"] * MAX_COMPARED_NAMES), "gpu"]) == ["gpu"]


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=6), st.integers(1, 4))
def test_only_known_names_are_offered_each_once(name: str, known: list[str], count: int) -> None:
    near = nearest(name, known, count=count)
    assert len(set(near)) == len(near) <= count
    assert set(near) <= set(known)
