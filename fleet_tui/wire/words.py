"""What a remote says, as it may be kept: without secrets and not longer than somebody reads.

A gateway repeats the token it refuses, a proxy its password, a banner whatever its host's admin
wrote; all of it ends up in the ledger and on screens. So a failure, a refusal or an unknown wraps
no text but by :func:`words_of`.
"""

from fleet_tui.base.redact import redact
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_WORDS_CHARS = 2_000

LOOK_AHEAD = 4
"""So many times what is kept is looked at for secrets: one that is cut is not recognised. Not all
of it, for a gateway may send 25 MB at once."""

LONGEST_WORD_CHARS = 512
"""So much is left out at most of a word that was cut."""

LOOK_BACK_BYTES = 4_096
"""The same where the end is kept."""


def words_of(text: str, most: int = MAX_WORDS_CHARS) -> Untrusted:
    """The beginning of a text, at most ``most`` characters of it, without secrets."""
    return Untrusted(beginning(text, most)) if text else NOTHING_SAID


def beginning(text: str, most: int) -> str:
    """As :func:`words_of`, to make a sentence with. Of what is looked at the last word is left out
    where it was cut: half of a secret has no shape to be known by."""
    looked_at = text[: most * LOOK_AHEAD]
    if len(looked_at) < len(text):
        earliest = len(looked_at) - min(LONGEST_WORD_CHARS, len(looked_at) // 2)
        ends = (looked_at.rfind(blank, earliest) for blank in " \n")
        looked_at = looked_at[: max(*ends, earliest)]
    return redact(looked_at)[:most]


def excerpt(data: bytes | bytearray, most: int) -> str:
    """As :func:`beginning`, of bytes that should be UTF-8."""
    # One more than is looked at, so that a cut is seen.
    return beginning(data[: most * LOOK_AHEAD + 1].decode("utf-8", "backslashreplace"), most)


def end_of(said: bytes, most: int) -> str:
    """The end of what a program printed, without secrets. ``most`` bytes are what is kept at most:
    where its beginning may have been cut off, so does the word that was cut, for half of a secret
    has no shape to be known by."""
    text = said.decode("utf-8", "backslashreplace")
    if len(said) >= most:
        text = text.partition("\n" if "\n" in text else " ")[2]
    return redact(text)
