"""Commands for notes."""

from typing import ClassVar

from fleet_tui.core.ledger.base import CommandBase, Tier
from fleet_tui.core.text.untrusted import Untrusted


class AddNote(CommandBase, frozen=True, kw_only=True, tag="note"):
    """Mark this moment."""

    tier: ClassVar[Tier] = Tier.NOTHING
    text: Untrusted
