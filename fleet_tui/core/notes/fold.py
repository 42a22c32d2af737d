"""Folding events of notes: the newest are remembered."""

from fleet_tui.core.ledger.draft import Draft
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.notes.model import MAX_NOTES, Note


def fold_note(draft: Draft, event: NoteAdded) -> None:
    """The notes after another one."""
    note = Note(at_ms=draft.at_ms, by=event.by, text=event.text)
    draft.notes = (*draft.notes, note)[-MAX_NOTES:]
