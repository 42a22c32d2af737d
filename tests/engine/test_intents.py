"""Every kind of event says what its commit sets in motion, and says it as the fold has it."""

from typing import get_args

import pytest

from fleet_tui.core.ledger.events import Event
from fleet_tui.core.tasks.events import AttemptEvent, TaskPlaced
from fleet_tui.core.tasks.model import Attempt
from fleet_tui.engine.intents import EFFECTS, end, start, stop
from tests.core.test_fold_attempt import COURSE


def test_every_kind_of_event_has_its_row() -> None:
    assert set(EFFECTS) == set(get_args(Event))


@pytest.mark.parametrize(
    ("before", "event", "after"), COURSE, ids=[type(event).__name__ for _, event, _ in COURSE]
)
def test_what_changes_the_open_runs_says_so(
    before: Attempt, event: AttemptEvent, after: Attempt
) -> None:
    effects = EFFECTS[type(event)]
    assert before.phase.is_open or not after.phase.is_open, "no fact opens a run again"
    if before.phase.is_open:
        assert (end in effects) == (not after.phase.is_open)
        assert (stop in effects) == (before.cancel_cause != after.cancel_cause)


def test_only_a_placement_starts_a_run() -> None:
    assert [kind for kind, effects in EFFECTS.items() if start in effects] == [TaskPlaced]
