"""What a command about notes means: the resulting event, or why it is refused."""

from fleet_tui.core.ledger.decided import Decided, Decision
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.notes.model import MAX_NOTE_CHARS


def decide_note(by: str, command: AddNote) -> Decision:
    """The meaning of marking a moment."""
    if not command.text.raw.strip():
        return Refused(code=RefusalCode.EMPTY, text="A note needs words.")
    if len(command.text.raw) > MAX_NOTE_CHARS:
        text = f"A note has at most {MAX_NOTE_CHARS} characters."
        return Refused(code=RefusalCode.TOO_LONG, text=text)
    return Decided(events=(NoteAdded(by=by, text=command.text),))
