"""What a command about alerts means: the events it becomes, or why it is refused."""

from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.alerting.events import AlertAcked
from fleet_tui.core.ledger.decided import Decided, Decision, LeftOut
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState


def decide_alerts(state: FleetState, by: str, command: Ack) -> Decision:
    """The meaning of acknowledging alerts. An alert that is already acknowledged keeps its
    operator."""
    if not command.alerts:
        return Refused(code=RefusalCode.NOTHING_NAMED, text="No alert was named.")
    fresh, left_out = [], []
    for alert in dict.fromkeys(command.alerts):
        found = state.alerts.get(alert)
        if found is None:
            text = f"No open alert is called {alert}."
            return Refused(code=RefusalCode.UNKNOWN_ALERT, text=text)
        if found.acked_by is None:
            fresh.append(AlertAcked(alert=alert, by=by))
        else:
            why = f"{alert} is already acknowledged by {found.acked_by}."
            refused = Refused(code=RefusalCode.ALREADY_ACKED, text=why)
            left_out.append(LeftOut(alert, alert, refused))
    return Decided(events=tuple(fresh), changed=len(fresh), left_out=tuple(left_out))
