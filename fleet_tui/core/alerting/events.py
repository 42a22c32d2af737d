"""What the ledger says about alerts."""

from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class AboutAlert(EventBase, frozen=True, kw_only=True):
    """What becomes of an alert."""

    alert: AlertId


class AlertRaised(AboutAlert, frozen=True, kw_only=True, tag="alert.raised"):
    """A condition that wants an operator's eyes began, or its open alert says other words now."""

    severity: Severity
    subject: str
    text: str
    detail: Untrusted = NOTHING_SAID


class AlertResolved(AboutAlert, frozen=True, kw_only=True, tag="alert.resolved"):
    """The condition ended."""


class AlertAcked(AboutAlert, frozen=True, kw_only=True, tag="alert.acked"):
    """Somebody has it in hand."""

    by: str


AlertEvent = AlertRaised | AlertResolved | AlertAcked
"""What becomes of an alert."""
