r"""Regular expressions that people type, and the one place where they are compiled.

Python's own engine backtracks: ``(a+)+b`` takes exponential time on text that an agent can write.
RE2 never does: its time is the length of the text times the places of the pattern, and both have a
limit. A pattern keeps its meaning in Python, whose syntax RE2 mostly shares; the rest is translated
here, and unsupported constructs are refused by name.

One difference is left: for ``\b`` only ASCII letters are part of a word. So it is refused in a
pattern that has other letters.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Protocol, cast

import msgspec
import re2

from fleet_tui.core.logs import MAX_LINE_CHARS

MAX_PATTERN_CHARS = 200
MAX_PLACES = 500
"""Characters that a pattern matches, those in ``{n,m}`` counted as often as they may repeat."""

MAX_SEARCHED_CHARS = 2 * MAX_LINE_CHARS
"""How much of a text is searched: any line of a log, and the beginning of a long task."""

_OPTIONS = re2.Options()
_OPTIONS.case_sensitive = False
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 2 * 1024 * 1024
r"""Bytes of one compiled pattern. ``\w{64}`` needs that much: there are many letters."""

_SET_SYNTAX = re.compile(r"(?<!\\)\[|--|&&|~~|\|\|")
"""What Python reserves inside a character class for sets of sets."""

_REPEAT = re.compile(r"\*|\+|\?|\{(\d*)(,?)(\d*)\}")
_NUMBERED = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})")
_OCTAL = re.compile(r"[0-7]{1,3}")

_NOT_SUPPORTED = {
    "(?=": "look-ahead is not supported",
    "(?!": "look-ahead is not supported",
    "(?<=": "look-behind is not supported",
    "(?<!": "look-behind is not supported",
    "(?>": "atomic groups are not supported",
    "(?(": "conditions are not supported",
    "(?P=": "back-references are not supported",
    "(?": "only plain groups ( ) and (?: ) are supported",
}
"""By the beginning of a group; the first match applies."""

_SPECIAL = {"^": "^", ".": ".", "|": "|", "$": r"(?:\n?\z)"}
"""Python's $ also matches before a line break at the end of the text."""

_CONTROLS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_WORD = r"\p{L}\p{N}_"
_NO_WORD = (
    r"\p{M}\p{S}\p{Z}\p{C}\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}"
    r"\x{203f}\x{2040}\x{2054}\x{fe33}\x{fe34}\x{fe4d}-\x{fe4f}\x{ff3f}"
)
_BLANK = (
    r"\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
_NO_BLANK = (
    r"\x00-\x08\x0e-\x1b\x21-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}"
    r"\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"
)
_IN_CLASS = {
    "d": r"\p{Nd}",
    "D": r"\P{Nd}",
    "w": _WORD,
    "W": _NO_WORD,
    "s": _BLANK,
    "S": _NO_BLANK,
}
"""Python's meaning of these, for all scripts; RE2 by itself means ASCII."""

_ANYWHERE = {
    **{letter: f"[{members}]" for letter, members in _IN_CLASS.items()},
    "A": r"\A",
    "Z": r"\z",
    "z": r"\z",
    "b": r"\b",
    "B": r"\B",
}


class RegexProblem(msgspec.Struct, frozen=True):
    """Why a pattern is refused; ``column`` counts from 0 within the pattern."""

    column: int
    message: str


class _Hit(Protocol):
    def span(self) -> tuple[int, int]: ...


class _Compiled(Protocol):
    """The part of re2 that is used; re2 has no types of its own."""

    def search(self, text: str) -> _Hit | None: ...
    def finditer(self, text: str) -> Iterator[_Hit]: ...


class BoundedRegex(msgspec.Struct, frozen=True):
    """A pattern that is safe to run on any text. Made by :func:`compile_bounded`."""

    source: str
    pattern: _Compiled

    def is_in(self, text: str) -> bool:
        """Whether the pattern is found in the searched part of the text."""
        return self.pattern.search(_searched(text)) is not None

    def spans(self, text: str, most: int) -> Iterable[tuple[int, int]]:
        """Where it is found, so many times at most."""
        return (hit.span() for hit in islice(self.pattern.finditer(_searched(text)), most))


def _searched(text: str) -> str:
    """With as many characters; what cannot be written as UTF-8 is a question mark."""
    part = text[:MAX_SEARCHED_CHARS]
    return part if part.isascii() else part.encode(errors="replace").decode()


@lru_cache(32)
def compile_bounded(source: str) -> BoundedRegex | RegexProblem:
    """The pattern, ignoring case, or why it is refused."""
    if len(source) > MAX_PATTERN_CHARS:
        return RegexProblem(
            MAX_PATTERN_CHARS, f"longer than the {MAX_PATTERN_CHARS} characters allowed"
        )
    try:
        written = _Translation(source).run()
        re.compile(source)
    except _Refused as refused:
        return refused.problem
    except re.error as error:
        return RegexProblem(error.pos or 0, error.msg)
    re2.purge()  # it keeps 128 of them, and what we need again is kept above
    try:
        return BoundedRegex(source, cast(_Compiled, re2.compile(written, _OPTIONS)))
    except re2.error:
        return RegexProblem(0, "asks for too much: make it shorter, or its numbers smaller")


class _Refused(Exception):
    """Carries a problem out of the translation; never leaves this module."""

    def __init__(self, column: int, message: str) -> None:
        super().__init__()
        self.problem = RegexProblem(column, message)


class _Translation:
    """One pass over a pattern that translates it for RE2. It also terminates for patterns that are
    invalid in Python."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._groups: list[int] = []
        """Places before each group that is open, in what surrounds it."""
        self._places = 0
        self._last = 0
        """Places of the item that a repeat here would apply to."""

    def run(self) -> str:
        """The pattern for RE2. Raises _Refused at the first unsupported construct."""
        return "".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        source, at = self.source, 0
        while at < len(source):
            start, char = at, source[at]
            if char == "\\":
                piece, at = self._escape(at)
                self._add(1)
            elif char == "[":
                piece, at = self._class(at)
                self._add(1)
            elif char == "(":
                piece, at = self._open(at)
            elif char == ")":
                piece, at = ")", at + 1
                self._close()
            elif (repeat := _REPEAT.match(source, at)) is not None and repeat[0] != "{}":
                piece, at = self._repeat(repeat)
            else:
                piece, at = _SPECIAL.get(char) or _literal(char), at + 1
                self._add(1)
            if self._places > MAX_PLACES:
                raise _Refused(start, f"asks for more than {MAX_PLACES} characters")
            yield piece

    def _add(self, places: int) -> None:
        self._last = places
        self._places += places

    def _open(self, at: int) -> tuple[str, int]:
        if self.source.startswith("(?:", at):
            end = at + 3
        elif self.source.startswith("(?", at):
            begins = (name for name in _NOT_SUPPORTED if self.source.startswith(name, at))
            raise _Refused(at, _NOT_SUPPORTED[next(begins)])
        else:
            end = at + 1
        self._groups.append(self._places)
        self._places = 0
        return "(?:", end

    def _close(self) -> None:
        if self._groups:  # otherwise Python says that this parenthesis is unbalanced
            inside = max(1, self._places)
            self._places = self._groups.pop()
            self._add(inside)

    def _repeat(self, repeat: re.Match[str]) -> tuple[str, int]:
        low, comma, high = repeat[1], repeat[2], repeat[3]
        text, end = repeat[0], repeat.end()
        if low is not None:  # Python reads {,n} as from none, and RE2 as it stands there
            text = f"{{{int(low or 0)}{comma}{high}}}"
            times = int(high) if high else int(low or 0) + len(comma)
            self._places += self._last * max(0, times - 1)
        if self.source.startswith("+", end):
            raise _Refused(end, "possessive repeats are not supported: leave out this +")
        return text, end

    def _escape(self, at: int) -> tuple[str, int]:
        letter = self.source[at + 1 : at + 2]
        if letter in ("b", "B") and not self.source.isascii():
            raise _Refused(at, f"\\{letter} knows the letters a to z only")
        if (anywhere := _ANYWHERE.get(letter)) is not None:
            return anywhere, at + 2
        if letter.isdecimal() and letter != "0":
            raise _Refused(at, "back-references are not supported")
        return self._character(at)

    def _character(self, at: int) -> tuple[str, int]:
        """One that is written with a backslash."""
        source, letter = self.source, self.source[at + 1 : at + 2]
        if letter == "N":
            raise _Refused(at, "names of characters are not supported")
        if (numbered := _NUMBERED.match(source, at + 1)) is not None:
            number = int(next(filter(None, numbered.groups())), 16)
            if number > sys.maxunicode:
                raise _Refused(at, "no character has this number")
            return _literal(chr(number)), numbered.end()
        if (octal := _OCTAL.match(source, at + 1)) is not None:
            return _literal(chr(int(octal[0], 8))), octal.end()
        return _literal(_CONTROLS.get(letter, letter or "\\")), at + 2

    def _class(self, at: int) -> tuple[str, int]:
        source, end = self.source, _after_class(self.source, at)
        if (odd := _SET_SYNTAX.search(source, at + 1, end)) is not None:
            raise _Refused(odd.start(), f"write \\{odd[0][0]} inside [ ]")
        at += 1
        pieces = ["["]
        if source.startswith("^", at):
            pieces.append("^")
            at += 1
        while at < end - 1:
            piece, at = self._member(at)
            pieces.append(piece)
            if source.startswith("-", at) and at + 1 < end - 1:
                piece, at = self._member(at + 1)
                pieces += ("-", piece)
        return "".join((*pieces, "]")), end

    def _member(self, at: int) -> tuple[str, int]:
        if self.source[at] != "\\":
            return _literal(self.source[at]), at + 1
        members = _IN_CLASS.get(self.source[at + 1 : at + 2])
        return (members, at + 2) if members is not None else self._character(at)


def _literal(char: str) -> str:
    return f"\\x{{{ord(char):x}}}"


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
