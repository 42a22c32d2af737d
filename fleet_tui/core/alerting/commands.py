"""What an operator can say of alerts."""

from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.base import CommandBase


class Ack(CommandBase, frozen=True, kw_only=True, tag="ack"):
    """I have these alerts in hand."""

    alerts: tuple[AlertId, ...]
