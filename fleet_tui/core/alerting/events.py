"""The events of alerts."""

from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class AboutAlert(EventBase, frozen=True, kw_only=True):
    """What becomes of an alert."""

    alert: AlertId


class AlertRaised(AboutAlert, frozen=True, kw_only=True, tag="alert.raised"):
    """A condition that needs attention began, or the text of its open alert changed."""

    severity: Severity
    subject: str
    text: str
    detail: Untrusted = NOTHING_SAID


class AlertResolved(AboutAlert, frozen=True, kw_only=True, tag="alert.resolved"):
    """The condition ended."""


class AlertAcked(AboutAlert, frozen=True, kw_only=True, tag="alert.acked"):
    """An operator is handling it."""

    by: str


AlertEvent = AlertRaised | AlertResolved | AlertAcked
"""What becomes of an alert."""
