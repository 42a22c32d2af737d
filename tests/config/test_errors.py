"""The error tree: one exit code for each way to fail."""

import pytest

from fleet_tui.base import errors


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.FleetError, 1),
        (errors.UsageError, 2),
        (errors.InvalidConfig, 3),
        (errors.Unreachable, 4),
        (errors.PartialFailure, 5),
        (errors.CommandRefused, 6),
    ],
)
def test_exit_codes_are_stable(kind: type[errors.FleetError], code: int) -> None:
    assert kind.exit_code == code
    said = kind("what happened", hint="what to do")
    assert (said.message, said.hint, str(said)) == ("what happened", "what to do", "what happened")
    assert kind().message
    assert isinstance(said, errors.FleetError)
