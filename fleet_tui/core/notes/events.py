"""The events of notes."""

from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.text.untrusted import Untrusted


class NoteAdded(EventBase, frozen=True, kw_only=True, tag="note.added"):
    """An operator marked a moment."""

    by: str
    text: Untrusted
