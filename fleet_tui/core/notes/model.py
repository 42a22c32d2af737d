"""A note in the ledger."""

import msgspec

from fleet_tui.core.text.untrusted import Untrusted

MAX_NOTES = 200
"""Notes that a state remembers; older ones are only in the journal."""
MAX_NOTE_CHARS = 2_000


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A bookmark: a moment with an operator's text."""

    at_ms: int
    by: str
    text: Untrusted
