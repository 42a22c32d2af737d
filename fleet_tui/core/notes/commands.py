"""Commands for notes."""

from fleet_tui.core.ledger.base import CommandBase
from fleet_tui.core.text.untrusted import Untrusted


class AddNote(CommandBase, frozen=True, kw_only=True, tag="note"):
    """Mark this moment."""

    text: Untrusted
