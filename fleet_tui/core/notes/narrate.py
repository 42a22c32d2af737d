"""What the ledger says about notes, in words."""

from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.logs import Level
from fleet_tui.core.notes.events import NoteAdded


def note_sentence(event: NoteAdded) -> Sentence:
    """A note in words."""
    return Sentence(level=Level.INFO, text=f"note by {event.by}", detail=event.text)
