"""What a command about an alert means: the events it becomes, or why it is refused."""

from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.alerting.events import AlertAcked
from fleet_tui.core.ledger.decided import Decided, Verdict
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState


def decide_alert(state: FleetState, by: str, command: Ack) -> Verdict:
    """The meaning of taking an alert in hand."""
    if command.alert not in state.alerts:
        text = f"No open alert is called {command.alert}."
        return Refused(code=RefusalCode.UNKNOWN_ALERT, text=text)
    return Decided(events=(AlertAcked(alert=command.alert, by=by),))
