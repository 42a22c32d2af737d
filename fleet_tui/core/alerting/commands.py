"""Commands for alerts."""

from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.base import CommandBase


class Ack(CommandBase, frozen=True, kw_only=True, tag="ack"):
    """Record that the author is handling these alerts."""

    alerts: tuple[AlertId, ...]
