"""Names that people must be able to tell apart: clients, projects, labels, capabilities.

Fleet files take ASCII names only. Work comes from elsewhere too, with names in any script; names
refused here could be mistaken for another, or affect the line in which they are shown.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from fleet_tui.core.text.confusables import ACROSS_SCRIPTS, LOOKS_LIKE
from fleet_tui.core.text.firewall import invisible_count, is_mark

MAX_NAME_CHARS = 128
"""For names that come with work. Names of a fleet file are shorter."""

MAX_MARKS = 3
"""On one character; Vietnamese and Thai need two, and more are abuse."""

_MARKUP = re.compile(r"\[[^\[\]]*\]")
_DRAWS_NOTHING = frozenset("\U00016fe4\U0001d159\ufffc")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
"""Scripts whose letters look like one another's (UTS #39, 5.1)."""

_SMALL = LOOKS_LIKE | str.maketrans(
    "аӓеһіїјӏкмнорԛѕтуԝхсгпвԁιανορτυχωγϲκηօոսհց",
    "aaehiijlkmhopqstywxcrnbdiavoptuxwycknonuhg",
)
"""For small letters, including those of other scripts that look like Latin ones in some
typefaces."""

_AS_WRITTEN = LOOKS_LIKE | str.maketrans("I1|0", "lllO")
"""For letters as they are: a capital I has the shape of l, and not of i."""


@lru_cache(4_096)
def flaw_of(name: str) -> str | None:
    """Why a name could be mistaken for another, as the end of a sentence, or None."""
    if len(name) > MAX_NAME_CHARS:
        return f"is longer than {MAX_NAME_CHARS} characters"
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
    if _has_storm(name) or any(map(is_mark, _after_blanks(name))):
        return f"has more than {MAX_MARKS} marks on a character, or one on none"
    plain = unicodedata.normalize("NFKC", name)
    if plain != name:
        return f"is another way to write {plain}; write that"
    mixed = _scripts(name)
    if len(mixed) > 1:
        return f"mixes letters that look alike: {' and '.join(mixed)}"
    if _has_both_directions(name):
        return "mixes writing from left to right with writing from right to left"
    return None


class Looks(NamedTuple):
    """How a name looks. Two names look alike if they have one of these in common."""

    skeleton: str
    """The same for names that differ only in capitals."""
    shape: str
    """The same for names that differ in what has one shape: l, I and 1, or O and 0."""


class LooksAcross(NamedTuple):
    """How a name looks next to one of other scripts: readers of a script can tell its letters
    apart, but not all of them from those of another."""

    looks: Looks
    scripts: tuple[str, ...]
    """Of each character."""


@lru_cache(8_192)
def looks_of(name: str) -> Looks:
    """How a name looks."""
    plain = unicodedata.normalize("NFKC", name)
    skeleton = plain.casefold().translate(_SMALL).casefold()
    return Looks(skeleton, plain.translate(_AS_WRITTEN).casefold())


@lru_cache(8_192)
def looks_across(name: str) -> LooksAcross:
    """How a name looks next to one of other scripts."""
    plain = unicodedata.normalize("NFKC", name)
    small = plain.casefold().translate(ACROSS_SCRIPTS).translate(_SMALL).casefold()
    as_written = plain.translate(ACROSS_SCRIPTS).translate(_AS_WRITTEN).casefold()
    return LooksAcross(Looks(small, as_written), tuple(map(_script, plain)))


def look_alike(name: str, known: Iterable[str]) -> str | None:
    """Another of the known names that looks like this one, unless this is known itself."""
    found = None
    for other in known:
        if other == name:
            return None
        if found is None and _are_alike(name, other):
            found = other
    return found


def twins(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each of these names that looks like an earlier one, and that one. All are of one script."""
    seen: dict[tuple[int, str], str] = {}
    for name in names:
        earlier = [seen.setdefault(look, name) for look in enumerate(looks_of(name))]
        other = next((each for each in earlier if each != name), None)
        if other is not None:
            yield name, other


def _are_alike(name: str, other: str) -> bool:
    if any(map(str.__eq__, looks_of(name), looks_of(other))):
        return True
    mine, its = looks_across(name), looks_across(other)
    return mine.scripts != its.scripts and any(map(str.__eq__, mine.looks, its.looks))


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def _after_blanks(name: str) -> Iterable[str]:
    return (char for before, char in pairwise(f" {name}") if before == " ")


def _has_storm(name: str) -> bool:
    places = range(len(name) - MAX_MARKS)
    return any(all(map(is_mark, name[at : at + MAX_MARKS + 1])) for at in places)


def _has_both_directions(name: str) -> bool:
    """Whether it is drawn in another order than it is stored: other names may then look the
    same."""
    ways = set(map(unicodedata.bidirectional, name))
    return not ways.isdisjoint(("R", "AL")) and not ways.isdisjoint(("L", "EN", "AN"))


def _scripts(name: str) -> list[str]:
    """Which of the similar scripts its letters belong to."""
    found = {_script(char) for char in name if char.isalpha()}
    return [script.capitalize() for script in _SCRIPTS if script in found]
