"""Sentences for the events of alerts."""

from typing import assert_never

from fleet_tui.core.alerting.events import AlertAcked, AlertEvent, AlertRaised, AlertResolved
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.logs import Level


def alert_sentence(event: AlertEvent) -> Sentence:
    """The sentence for an event of an alert."""
    match event:
        case AlertRaised():
            return Sentence(level=event.severity.level, text=f"alert: {event.subject} {event.text}")
        case AlertResolved(alert=alert):
            return Sentence(level=Level.INFO, text=f"alert over: {alert}")
        case AlertAcked(alert=alert, by=by):
            return Sentence(level=Level.INFO, text=f"alert {alert} acknowledged by {by}")
        case _:
            assert_never(event)
