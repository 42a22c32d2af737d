"""Commands for alerts."""

from typing import ClassVar

from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.base import CommandBase, Tier


class Ack(CommandBase, frozen=True, kw_only=True, tag="ack"):
    """Record that the author is handling these alerts."""

    tier: ClassVar[Tier] = Tier.LINE
    alerts: tuple[AlertId, ...]
