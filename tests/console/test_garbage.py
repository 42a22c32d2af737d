"""When the collector makes its full rounds."""

import gc
from collections.abc import Iterator

import pytest

from fleet_tui.console.terminal.garbage import AT_LAST, AT_REST, NEVER, Tidying


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many smaller rounds there were, as a list of one that a test changes."""
    known = [0]

    def collect() -> int:
        known[0] = 0
        return 0

    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, known[0]))
    monkeypatch.setattr(gc, "collect", collect)
    return known


def test_full_rounds_are_made_while_nobody_types_and_at_last_in_any_case(rounds: list[int]) -> None:
    tidying = Tidying()
    rounds[0] = AT_LAST
    assert not tidying.look(0), "it is Python's own affair until then"
    tidying.begin()
    assert gc.get_threshold()[2] == NEVER
    rounds[0] = AT_REST - 1
    assert not tidying.look(0)
    rounds[0] = AT_REST
    assert not tidying.look(3), "keys came since"
    assert tidying.look(3)
    assert not tidying.look(3), "it was done just now"
    rounds[0] = AT_LAST
    assert tidying.look(4)


def test_what_there_is_is_spared() -> None:
    before = gc.get_freeze_count()
    Tidying().begin()
    assert gc.get_freeze_count() > before
