"""What holds for all tests of the console."""

import pytest

from fleet_tui.console.terminal import slices


@pytest.fixture(autouse=True)
def long_work_in_one_piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that how fast the machine is does not decide what a test sees; the tests of the pieces
    themselves have them as they are."""
    if request.path.name != "test_bounded_work.py":
        monkeypatch.setattr(slices, "SLICE_MS", 600_000)
