"""Every kind of event says what its commit sets in motion, and says it as the fold has it."""

from typing import cast, get_args

import pytest

from fleet_tui.core.agents.events import (
    AgentIdentified,
    CanaryEnded,
    CanaryStarted,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.ids import AgentName, Epoch, RunId, Seq
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.tasks.events import AttemptEvent, TaskPlaced
from fleet_tui.core.tasks.model import Attempt
from fleet_tui.engine.intents import EFFECTS, Conversations, due_after, end, start, stop
from tests.core.test_fold_attempt import COURSE

A1 = AgentName("a1")


def changed(health: Health) -> HealthChanged:
    return HealthChanged(agent=A1, health=health, was=Health.SUSPECT, reason="")


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


def test_only_a_placement_and_a_canary_start_a_run() -> None:
    starts = [kind for kind, effects in EFFECTS.items() if start in effects]
    assert starts == [TaskPlaced, CanaryStarted]


def test_the_end_of_a_canary_run_ends_its_conversation() -> None:
    ended = CanaryEnded(agent=A1, run=RunId("canary-a1.1"), ok=True)
    assert due_after([Recorded(Seq(1), 0, Epoch(1), ended)]).runs


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (AgentIdentified(agent=A1, version="2", boot_id="b2"), True),
        *((changed(health), not health.is_lost) for health in Health),
    ],
)
def test_an_agent_that_may_answer_again_is_asked_at_once(event: Event, asked: bool) -> None:
    class Those:
        asked: tuple[AgentName, ...] = ()

        def ask_again(self, agent: AgentName) -> None:
            self.asked = (*self.asked, agent)

    those = Those()
    for tell in due_after([Recorded(Seq(1), 0, Epoch(1), event)]).then:
        tell(cast(Conversations, those), EMPTY_STATE)
    assert those.asked == ((A1,) if asked else ())
