"""Applying events: the next state from a state and the events recorded after it.

Folding never decides anything: it asks no policy, no clock and no randomness, so the live engine,
every console and an offline review of the same ledger cannot disagree. The effect of an event is
defined in the module of its aggregate; this one dispatches.
"""

from collections.abc import Iterable
from typing import assert_never

from fleet_tui.core.agents.events import AboutAgent, AboutPool
from fleet_tui.core.agents.fold import fold_agent, fold_pool
from fleet_tui.core.alerting.events import AboutAlert
from fleet_tui.core.alerting.fold import fold_alert
from fleet_tui.core.engine.events import AboutEngine
from fleet_tui.core.engine.fold import fold_engine
from fleet_tui.core.ledger.draft import Draft
from fleet_tui.core.ledger.events import Recorded, SegmentOpened, UnknownEvent
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.notes.fold import fold_note
from fleet_tui.core.tasks.events import AboutAttempt, AboutTask
from fleet_tui.core.tasks.fold import fold_task
from fleet_tui.core.tasks.fold_attempt import fold_attempt


def fold(state: FleetState, batch: Iterable[Recorded]) -> FleetState:
    """The state after the batch. Events must follow the state's ``seq`` in order."""
    folding = Folding(state)
    for recorded in batch:
        folding.apply(recorded)
    return folding.state()


class Folding(Draft):
    """Applies events one after the other."""

    def apply(self, recorded: Recorded) -> None:
        """Apply the next event. The most frequent kinds are tested first."""
        event = recorded.event
        self.seq = recorded.seq
        self.at_ms = recorded.at_ms
        match event:
            case AboutAttempt():
                fold_attempt(self, event)
            case AboutTask():
                fold_task(self, event)
            case AboutAgent():
                fold_agent(self, event)
            case AboutAlert():
                fold_alert(self, event)
            case AboutPool():
                fold_pool(self, event)
            case AboutEngine():
                fold_engine(self, event)
            case NoteAdded():
                fold_note(self, event)
            case SegmentOpened(state=opened):
                self.reopen(opened)
                self.seq, self.at_ms = recorded.seq, recorded.at_ms
            case UnknownEvent():
                self.unknown_events += 1
            case _:
                assert_never(event)
