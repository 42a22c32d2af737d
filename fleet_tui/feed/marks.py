"""Notable events of a recording: the marks on its timeline."""

from enum import StrEnum
from typing import assert_never

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.engine.events import (
    EngineStarted,
    EngineStopped,
)
from fleet_tui.core.ledger import events as e
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.events import TaskEnded, TaskNeedsOperator


class Mark(StrEnum):
    """The kinds of marks."""

    ALERT = "alert"
    """A critical one was raised."""
    HEALTH = "health"
    """An agent was lost, or came back."""
    FAILED = "failed"
    """A task failed, expired, or needs an operator."""
    NOTE = "note"
    ENGINE = "engine"
    """It started or stopped."""


Notable = (
    HealthChanged
    | AlertRaised
    | TaskEnded
    | TaskNeedsOperator
    | NoteAdded
    | EngineStarted
    | EngineStopped
)
"""Events that may deserve a mark; every other event is ordinary."""


def mark_of(event: e.Event) -> Mark | None:
    """The mark of an event; None for events that are not notable."""
    if not isinstance(event, Notable):
        return None
    match event:
        case HealthChanged(health=health, was=was):
            return Mark.HEALTH if health.is_lost or was.is_lost else None
        case AlertRaised(severity=severity):
            return Mark.ALERT if severity is Severity.CRIT else None
        case TaskEnded(phase=phase):
            return Mark.FAILED if phase.has_failed else None
        case TaskNeedsOperator():
            return Mark.FAILED
        case NoteAdded():
            return Mark.NOTE
        case EngineStarted() | EngineStopped():
            return Mark.ENGINE
        case _:
            assert_never(event)
