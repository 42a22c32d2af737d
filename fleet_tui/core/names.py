"""Names that people tell apart by looking: clients, projects, labels, capabilities.

Fleet files take ASCII names only. Work comes from elsewhere too, with names in any script; what is
refused here could be taken for another name, or does something to the line that it stands in.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from fleet_tui.core.firewall import invisible_count

MAX_MARKS = 3
"""On one character; Vietnamese and Thai need two, and more is a storm."""

_MARKUP = re.compile(r"\[[^\[\]]*\]")
_DRAWS_NOTHING = frozenset("\U00016fe4\U0001d159")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Scripts whose letters look like one another's (UTS #39, 5.1)."""

_LOOKS_LIKE = str.maketrans(
    "аӓеһіїјӏкмнорԛѕтуԝхсгпвԁιανορτυχωγϲκηօոսհց",
    "aaehiijlkmhopqstywxcrnbdiavoptuxwycknonuhg",
)
"""Letters of other scripts that look like Latin ones, small; UTS #39 has thousands more."""


@lru_cache(4_096)
def flaw_of(name: str) -> str | None:
    """Why a name could not be told from another by looking, or None: the end of a sentence."""
    hidden = next((c for c in name if invisible_count(c) or c in _DRAWS_NOTHING), None)
    if hidden is not None:
        return f"has the invisible character U+{ord(hidden):04X}"
    odd = next((c for c in name if not c.isprintable()), None)
    if odd is not None:
        return f"has the character U+{ord(odd):04X}, which is shown as a blank"
    if name != name.strip() or not name:
        return "begins or ends with a blank"
    if "  " in name:
        return "has two blanks in a row"
    if _MARKUP.search(name):
        return "has a word in square brackets, as markup has"
    if _has_storm(name) or _is_mark(name[0]):
        return f"has more than {MAX_MARKS} marks on a character, or one on none"
    plain = unicodedata.normalize("NFKC", name)
    if plain != name:
        return f"is another way to write {plain}; write that"
    mixed = _scripts(name)
    if len(mixed) > 1:
        return f"mixes letters that look alike: {' and '.join(mixed)}"
    return None


@lru_cache(4_096)
def skeleton(name: str) -> str:
    """The same for names that look the same, or differ only in capitals."""
    return unicodedata.normalize("NFKC", name).casefold().translate(_LOOKS_LIKE)


def look_alike(name: str, known: Iterable[str]) -> str | None:
    """Another of the known names that looks like this one, unless this is known itself."""
    mine = skeleton(name)
    found = None
    for other in known:
        if other == name:
            return None
        if found is None and skeleton(other) == mine:
            found = other
    return found


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")


def _has_storm(name: str) -> bool:
    places = range(len(name) - MAX_MARKS)
    return any(all(map(_is_mark, name[at : at + MAX_MARKS + 1])) for at in places)


def _scripts(name: str) -> list[str]:
    """Which of the scripts that look alike its letters are of."""
    found = {unicodedata.name(char, "").partition(" ")[0] for char in name if char.isalpha()}
    return [script.capitalize() for script in _SCRIPTS if script in found]
