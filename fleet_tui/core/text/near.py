"""The known names nearest to an unknown one."""

import difflib
from collections.abc import Iterable
from itertools import islice

MAX_COMPARED_CHARS = 128
"""Longest name that is compared with known ones; a longer one is not a typing error."""
MAX_COMPARED_NAMES = 2_000
"""Known names of about the right length that it is compared with."""

_SEPARATORS = str.maketrans("_ ", "--")


def nearest(
    name: str, known: Iterable[str], *, count: int = 1, most: int = MAX_COMPARED_NAMES
) -> list[str]:
    """At most ``count`` of the known names, the nearest first. Capitals, and which separator stands
    between words, make no difference."""
    if len(name) > MAX_COMPARED_CHARS:
        return []
    likely = (each for each in known if abs(len(each) - len(name)) <= 1 + len(name) / 2)
    written: dict[str, str] = {}
    for each in islice(likely, most):
        written.setdefault(_folded(each), each)
    return [written[near] for near in difflib.get_close_matches(_folded(name), written, n=count)]


def _folded(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)
