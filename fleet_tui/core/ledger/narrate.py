"""Sentences for events: the fleet's own lines in the merged log, and the story of a task.

The sentence of an event is defined in the module of its aggregate; this one dispatches. Remote text
is appended as received and makes the whole line :class:`Untrusted`.
"""

from typing import assert_never

from fleet_tui.core.agents.events import AboutAgent, AboutPool
from fleet_tui.core.agents.narrate import agent_sentence, pool_sentence
from fleet_tui.core.alerting.events import AboutAlert
from fleet_tui.core.alerting.narrate import alert_sentence
from fleet_tui.core.engine.events import AboutEngine
from fleet_tui.core.engine.narrate import engine_sentence
from fleet_tui.core.ledger.events import Event, Recorded, SegmentOpened, UnknownEvent
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.notes.narrate import note_sentence
from fleet_tui.core.tasks.events import AboutAttempt, AboutTask
from fleet_tui.core.tasks.narrate import attempt_sentence, task_sentence
from fleet_tui.core.text.untrusted import Untrusted


def log_line(recorded: Recorded, state: FleetState) -> LogLine | None:
    """The fleet's line in the merged log for an event; None for events of no interest to an
    operator. ``state`` is the state after the event."""
    sentence = narrate(recorded.event, state)
    if sentence is None:
        return None
    said = f": {sentence.detail.raw}" if sentence.detail else ""
    return LogLine(
        received_at_ms=recorded.at_ms,
        source=None,
        level=sentence.level,
        text=Untrusted(sentence.text + said),
        task=sentence.task,
    )


def narrate(event: Event, state: FleetState) -> Sentence | None:
    """The sentence for an event."""
    match event:
        case AboutAttempt():
            return attempt_sentence(event, state)
        case AboutTask():
            return task_sentence(event, state)
        case AboutAgent():
            return agent_sentence(event)
        case AboutPool():
            return pool_sentence(event)
        case AboutAlert():
            return alert_sentence(event)
        case AboutEngine():
            return engine_sentence(event)
        case NoteAdded():
            return note_sentence(event)
        case SegmentOpened():
            return None
        case UnknownEvent(kind=kind):
            return Sentence(
                level=Level.DEBUG,
                text="an event of a kind this version does not know",
                detail=Untrusted(kind),
            )
        case _:
            assert_never(event)
