"""Notable events of a recording: the marks on its timeline."""

from enum import StrEnum

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


def mark_of(event: e.Event) -> Mark | None:
    """The mark of an event; None for events that are not notable."""
    match event:
        case HealthChanged(health=health, was=was) if health.is_lost or was.is_lost:
            return Mark.HEALTH
        case AlertRaised(severity=Severity.CRIT):
            return Mark.ALERT
        case TaskEnded(phase=phase) if phase.has_failed:
            return Mark.FAILED
        case TaskNeedsOperator():
            return Mark.FAILED
        case NoteAdded():
            return Mark.NOTE
        case EngineStarted() | EngineStopped():
            return Mark.ENGINE
        case _:  # ordinary events, which are most of them
            return None
