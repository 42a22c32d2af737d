"""Remote text as it may be stored: redacted, and no longer than people read.

A gateway repeats the token it refuses, a proxy its password, a banner whatever its host's admin
wrote; all of it would end up in the ledger and on screens. So a failure, a refusal or an unknown
wraps text only through :func:`words_of`.
"""

from fleet_tui.base.redact import redact
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_WORDS_CHARS = 2_000

LOOK_AHEAD = 4
"""This multiple of the kept length is searched for secrets, because one that is cut is not
recognised. Not all of it: a gateway may send 25 MB at once."""

LONGEST_WORD_CHARS = 512
"""The most that is left out of a word that was cut."""

LOOK_BACK_BYTES = 4_096
"""The same where the end is kept."""


def words_of(text: str, most: int = MAX_WORDS_CHARS) -> Untrusted:
    """The beginning of a text, redacted, at most ``most`` characters."""
    return Untrusted(beginning(text, most)) if text else NOTHING_SAID


def beginning(text: str, most: int) -> str:
    """As :func:`words_of`, for use in a sentence. The last word searched is left out where it was
    cut: half of a secret cannot be recognised."""
    looked_at = text[: most * LOOK_AHEAD]
    if len(looked_at) < len(text):
        earliest = len(looked_at) - min(LONGEST_WORD_CHARS, len(looked_at) // 2)
        ends = (looked_at.rfind(blank, earliest) for blank in " \n")
        looked_at = looked_at[: max(*ends, earliest)]
    return redact(looked_at)[:most]


def excerpt(data: bytes | bytearray, most: int) -> str:
    """As :func:`beginning`, for bytes that should be UTF-8."""
    # One more than is searched, so that a cut shows.
    return beginning(data[: most * LOOK_AHEAD + 1].decode("utf-8", "backslashreplace"), most)


def end_of(said: bytes, most: int) -> str:
    """The end of a program's output, redacted. At most ``most`` bytes are kept: where the beginning
    may have been cut off, the cut word is dropped too, because half of a secret cannot be
    recognised."""
    text = said.decode("utf-8", "backslashreplace")
    if len(said) >= most:
        text = text.partition("\n" if "\n" in text else " ")[2]
    return redact(text)
