"""Sentences for the events of notes."""

from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.logs import Level
from fleet_tui.core.notes.events import NoteAdded


def note_sentence(event: NoteAdded) -> Sentence:
    """The sentence for a note."""
    return Sentence(level=Level.INFO, text=f"note by {event.by}", detail=event.text)
