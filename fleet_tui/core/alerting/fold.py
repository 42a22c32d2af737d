"""Folding events of alerts: which are open, and which closed last."""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.alerting.events import AlertAcked, AlertEvent, AlertRaised, AlertResolved
from fleet_tui.core.alerting.model import MAX_CLOSED_ALERTS, Alert
from fleet_tui.core.ledger.draft import Draft


def fold_alert(draft: Draft, event: AlertEvent) -> None:
    """The alerts after a fact about one of them."""
    draft.alerts = dict(draft.alerts)
    match event:
        case AlertRaised():
            known = draft.alerts.get(event.alert)
            draft.alerts[event.alert] = Alert(
                id=event.alert,
                severity=event.severity,
                subject=event.subject,
                text=event.text,
                detail=event.detail,
                raised_at_ms=draft.at_ms if known is None else known.raised_at_ms,
                acked_by=None if known is None else known.acked_by,
            )
        case AlertResolved(alert=alert_id):
            alert = draft.alerts.pop(alert_id, None)
            if alert is not None:
                closed = replace(alert, resolved_at_ms=draft.at_ms)
                draft.closed_alerts = (*draft.closed_alerts, closed)[-MAX_CLOSED_ALERTS:]
        case AlertAcked(alert=alert_id, by=by):
            if alert_id in draft.alerts:
                draft.alerts[alert_id] = replace(draft.alerts[alert_id], acked_by=by)
        case _:
            assert_never(event)
