"""Finds the secrets of a text by the table of their shapes (``secret_shapes.py``).

It also searches quoted texts, such as JSON in a log, and texts quoted in those: a name at the
beginning of such a line, or a quotation mark, is recognised only there. A secret is identified by
its place in the original text, so the rest need not change.
"""

import json
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, repeat
from typing import NamedTuple

from fleet_tui.core.text.secret_shapes import MAX_BEFORE_CHARS, SHAPES, Shape

MAX_DEPTH = 3
"""Of text inside of text."""

_QUOTED = re.compile(r'"[^"\\\n]*+(?:"|((?:\\.[^"\\\n]*+)++")|(?:\\.[^"\\\n]*+)*+)')
"""A text inside JSON, as many programs log what they say; one without an end is the rest of its
line, so that it is looked at once. Has a group if it ends and there is an escape in it."""

_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u.{4}|\\.|.", re.S
)
"""How one of them is written there; two halves of one make one."""

_HINTS = frozenset(hint for shape in SHAPES for hint in shape.hints)

_DECODER = json.JSONDecoder(strict=False)


class Secret(NamedTuple):
    """A part of a text."""

    start: int
    end: int
    kind: str
    around: str = ""
    """Quotes to put around its replacement, if it has none itself."""


Words = Callable[[str, str], str]
"""The replacement for a secret of a kind: ``words(kind, secret)``."""


def find_secrets(text: str) -> Sequence[Secret]:
    """All of them in order; no two overlap."""
    return _found_in([text], 0).get(0, ())


def replaced(text: str, secrets: Iterable[Secret], words: Words) -> str:
    """A text with its secrets replaced by ``words``."""
    parts: list[str] = []
    at = 0
    for start, end, kind, around in secrets:
        said = words(kind, text[start + len(around) : end - len(around)])
        parts += text[at:start], around, said, around
        at = end
    return "".join((*parts, text[at:]))


def mark(kind: str, _: str) -> str:
    """The mark that names the kind of a secret, without any part of it."""
    return f"[redacted:{kind}]"


def _found_in(texts: Sequence[str], depth: int) -> dict[int, list[Secret]]:
    """By the number of the text. All texts of one depth at once: a hint that none of them has is
    looked for once, and there may be thousands of a few characters."""
    inside = _found_inside(texts, depth + 1) if depth < MAX_DEPTH else {}
    hinted = _hinted(texts)
    found = {}
    for number in hinted.keys() | inside.keys():
        search = _Search(texts[number], inside.get(number, []))
        for shape in hinted.get(number, ()):
            search.look_for(shape)
        if search.secrets:
            found[number] = search.secrets
    return found


def _found_inside(texts: Sequence[str], depth: int) -> dict[int, list[Secret]]:
    """What is found in the texts that texts quote, by the number of the text around them."""
    numbers: list[int] = []
    quoted: list[re.Match[str]] = []
    for number, text in enumerate(texts):
        if "\\" in text:
            quoted += filter(_has_escape, _QUOTED.finditer(text))
            numbers += repeat(number, len(quoted) - len(numbers))
    found: dict[int, list[Secret]] = defaultdict(list)
    if quoted:
        secrets = _found_in(_said([each[0] for each in quoted]), depth)
        for index in sorted(secrets):
            found[numbers[index]] += _as_written(quoted[index], secrets[index])
    return found


def _has_escape(quoted: re.Match[str]) -> bool:
    return quoted.lastindex is not None


def _said(quoted: Sequence[str]) -> list[str]:
    """What quoted texts say; nothing for one that is no JSON."""
    try:
        said: list[str] = _DECODER.decode(f"[{','.join(quoted)}]")
    except ValueError:
        return list(map(_said_by_one, quoted)) if len(quoted) > 1 else [""]
    return said


def _said_by_one(quoted: str) -> str:
    return _said([quoted])[0]


def _as_written(quoted: re.Match[str], secrets: Iterable[Secret]) -> Iterator[Secret]:
    """Secrets of a quoted text, by their places in the text around it."""
    characters = _CHARACTER.finditer(quoted.string, quoted.start() + 1, quoted.end())
    places = [each.start() for each in characters]  # the quote that ends it has the last
    for secret in secrets:
        yield secret._replace(
            start=places[secret.start],
            end=places[secret.end],
            around=json.dumps(secret.around)[1:-1],
        )


def _hinted(texts: Sequence[str]) -> dict[int, list[Shape]]:
    """The shapes of which there is a hint, by the number of the text that has it."""
    lowered = [text.lower() for text in texts]
    ends = list(accumulate(len(text) + 1 for text in lowered))
    together = "\n".join(lowered)
    having = {hint: set(_numbers(together, ends, hint)) for hint in _HINTS if hint in together}
    hinted: dict[int, list[Shape]] = defaultdict(list)
    for shape in SHAPES:
        for number in set().union(*(having.get(hint, ()) for hint in shape.hints)):
            hinted[number].append(shape)
    return hinted


def _numbers(together: str, ends: Sequence[int], hint: str) -> Iterator[int]:
    """Which of the texts that end there have a hint."""
    at = together.find(hint)
    while at >= 0:
        number = bisect_right(ends, at)
        yield number
        at = together.find(hint, ends[number])


class _Search:
    """What was found in a text so far. The next shape reads it with marks for that."""

    def __init__(self, text: str, secrets: list[Secret]) -> None:
        self._whole = text
        self._mark(secrets)

    def look_for(self, shape: Shape) -> None:
        """Add the secrets of this shape."""
        known: list[Secret] | None = None
        while known is None or (shape.again and known != self.secrets):
            known = self.secrets
            found = [self._in_whole(each, shape.kind) for each in _matches(shape, self._text)]
            if found:
                self._mark(_apart(sorted((*known, *found), key=lambda s: s.start)))

    def _mark(self, secrets: list[Secret]) -> None:
        self.secrets = secrets
        self._text = replaced(self._whole, secrets, mark) if secrets else self._whole
        self._starts: list[int] = []
        """Where marks begin in the marked text."""
        self._ends: list[int] = []
        moved = 0
        for start, end, kind, around in secrets:
            self._starts.append(start + moved)
            self._ends.append(self._starts[-1] + len(mark(kind, "")) + 2 * len(around))
            moved = self._ends[-1] - end

    def _in_whole(self, match: re.Match[str], kind: str) -> Secret:
        """A match in the marked text as a part of the whole one, with all of the secrets that it
        overlaps."""
        start, end, around = _value_of(match)
        first = bisect_right(self._ends, start)
        if first < len(self._starts) and self._starts[first] <= start:
            start = self.secrets[first].start
        elif first:
            start += self.secrets[first - 1].end - self._ends[first - 1]
        last = bisect_left(self._starts, end) - 1
        if last >= 0:
            end = self.secrets[last].end + max(0, end - self._ends[last])
        return Secret(start, end, kind, around)


def _apart(secrets: Iterable[Secret]) -> list[Secret]:
    """Those that overlap as one, which is of the kind of the first."""
    apart: list[Secret] = []
    for each in secrets:
        if apart and each.start < apart[-1].end:
            apart[-1] = apart[-1]._replace(end=max(apart[-1].end, each.end))
        else:
            apart.append(each)
    return apart


def _matches(shape: Shape, text: str) -> Iterator[re.Match[str]]:
    if shape.is_one is None:
        yield from shape.pattern.finditer(text)
        return
    found = shape.pattern.search(text)
    while found is not None:
        at, start = found.end(1), found.start()
        before = text[max(0, start - MAX_BEFORE_CHARS) : start]
        if shape.is_one(text[at : found.end()]) and shape.stands(before):
            yield found
            at = found.end()
        found = shape.pattern.search(text, at)


_LISTS = ("[", "{")
_QUOTES = ('"""', "'''", '\\\\\\"', '\\"', "\\'", '"', "'")


def _value_of(match: re.Match[str]) -> tuple[int, int, str]:
    """The place of the secret in a match, and the quotes to put around its replacement.

    The name before the value stays: "token=" is more informative than a blank. So do quotes around
    it, so that JSON stays JSON."""
    start = match.end(match.lastindex) if match.lastindex else match.start()
    end = match.end()
    value = match.string[start:end]
    if match.re.groups == 0:
        return start, end, ""
    if value.startswith(_LISTS) and '"' in value:
        return start, end, '"'
    quote = next(filter(value.startswith, _QUOTES), "")
    return start + len(quote), end - len(quote) * value.endswith(quote), ""
