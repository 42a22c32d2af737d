"""What a fleet file says."""

import pytest

from fleet_tui.core.fleet import is_reference


@pytest.mark.parametrize(
    ("value", "says_where"),
    [("secret:env:TOKEN", True), ("secret", False), ("Secret:env:TOKEN", False), ("", False)],
)
def test_a_value_that_only_says_where_a_secret_is(value: str, says_where: bool) -> None:
    assert is_reference(value) is says_where
