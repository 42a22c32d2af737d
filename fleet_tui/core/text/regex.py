"""Regular expressions an operator types, limited to those that cannot run away.

Python's engine backtracks: ``(a+)+$`` takes exponential time on text an agent can write. Instead of
a clock, which a pure module does not have, the shapes that explode are refused and the text that is
looked at is bounded.
"""

import re

import msgspec

MAX_PATTERN_CHARS = 200
MAX_UNBOUNDED = 2
"""Repeats without a small limit (``*``, ``+``, ``{2,}``): each adds a power to the worst case."""

MAX_CHOICES = 8
"""Optional pieces and groups of alternatives: each may double the worst case."""

MAX_REPEAT = 100
"""The largest number in ``{n,m}``."""

MAX_SEARCHED_CHARS = 2_048
"""How much of a text a pattern with repeats looks at; with two repeats half of it."""

_REPEAT = re.compile(r"\*|\+|\?|\{(\d*)(,?)(\d*)\}")

_SET_SYNTAX = re.compile(r"(?<!\\)\[|--|&&|~~|\|\|")
"""What Python reserves inside a character class for sets of sets."""


class RegexProblem(msgspec.Struct, frozen=True):
    """Why a pattern is refused; ``column`` counts from 0 within the pattern."""

    column: int
    message: str


class BoundedRegex(msgspec.Struct, frozen=True):
    """A pattern that is safe to run on any text. Made by :func:`compile_bounded`."""

    source: str
    pattern: re.Pattern[str]
    searched_chars: int

    def is_in(self, text: str) -> bool:
        """Whether the pattern is found in the part of the text it looks at."""
        return self.pattern.search(text, 0, self.searched_chars) is not None


class _Group:
    """What is known of an open parenthesis."""

    def __init__(self) -> None:
        self.repeats = False
        """Or has optional pieces: how often each is there multiplies as repeats do."""
        self.alternatives = False


def compile_bounded(source: str) -> BoundedRegex | RegexProblem:
    """The pattern, ignoring case, or why it is refused."""
    if len(source) > MAX_PATTERN_CHARS:
        return RegexProblem(
            MAX_PATTERN_CHARS, f"longer than the {MAX_PATTERN_CHARS} characters allowed"
        )
    scan = _Scan(source)
    if (problem := scan.run()) is not None:
        return problem
    try:
        pattern = re.compile(source, re.IGNORECASE)
    except re.error as error:
        return RegexProblem(error.pos or 0, error.msg)
    share = 2 if scan.unbounded > 1 else 1
    return BoundedRegex(source, pattern, MAX_SEARCHED_CHARS // share)


class _Scan:
    """One walk over a pattern that counts what can make it slow."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.unbounded = 0
        self.choices = 0
        self._open = [_Group()]
        self._closed: _Group | None = None
        """The group that ends just before the present place."""

    def run(self) -> RegexProblem | None:
        """The first thing that is not allowed, or None."""
        source, at = self.source, 0
        while at < len(source):
            char = source[at]
            if char == "\\":
                if source[at + 1 : at + 2].isdigit() and source[at + 1] != "0":
                    return RegexProblem(at, "back-references are not allowed")
                at, self._closed = at + 2, None
            elif char == "[":
                end = _after_class(source, at)
                if (odd := _SET_SYNTAX.search(source, at + 1, end)) is not None:
                    return RegexProblem(odd.start(), f"write \\{odd[0][0]} inside [ ]")
                at, self._closed = end, None
            elif char == "(":
                if source.startswith("(?", at) and not source.startswith("(?:", at):
                    return RegexProblem(at, "only plain groups ( ) and (?: ) are allowed")
                self._open.append(_Group())
                at, self._closed = at + (3 if source.startswith("(?:", at) else 1), None
            elif char == ")":
                self._close()
                if self.choices > MAX_CHOICES:
                    return RegexProblem(at, f"more than {MAX_CHOICES} optional pieces")
                at += 1
            elif (repeat := _REPEAT.match(source, at)) is not None:
                if (problem := self._repeat(repeat)) is not None:
                    return problem
                at, self._closed = repeat.end(), None
                if source[at : at + 1] in ("?", "+"):
                    at += 1
            else:
                if char == "|":
                    self._open[-1].alternatives = True
                at, self._closed = at + 1, None
        return None

    def _close(self) -> None:
        if len(self._open) == 1:
            return  # the compiler will say that this parenthesis is unbalanced
        group = self._open.pop()
        if group.alternatives:
            self.choices += 1
        self._open[-1].repeats |= group.repeats
        self._closed = group

    def _repeat(self, repeat: re.Match[str]) -> RegexProblem | None:
        at = repeat.start()
        text = repeat[0]
        low, comma, high = repeat[1], repeat[2], repeat[3]
        if any(int(times) > MAX_REPEAT for times in (low, high) if times):
            return RegexProblem(at, f"repeats more than {MAX_REPEAT} times")
        group = self._closed
        self._open[-1].repeats = True
        if text == "?":
            self.choices += 1
        else:
            if group is not None and (group.repeats or group.alternatives):
                inside = "repeats, optional pieces or alternatives"
                return RegexProblem(at, f"a repeat of a group with {inside} in it")
            if text in ("*", "+") or comma:
                self.unbounded += 1
        if self.unbounded > MAX_UNBOUNDED:
            return RegexProblem(at, f"more than {MAX_UNBOUNDED} open repeats")
        if self.choices > MAX_CHOICES:
            return RegexProblem(at, f"more than {MAX_CHOICES} optional pieces")
        return None


def _after_class(source: str, at: int) -> int:
    """The place after a character class that begins at ``at``."""
    at += 1
    if source[at : at + 1] == "^":
        at += 1
    if source[at : at + 1] == "]":
        at += 1
    while at < len(source) and source[at] != "]":
        at += 2 if source[at] == "\\" else 1
    return at + 1
