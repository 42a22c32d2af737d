"""Reads the text of a filter."""

import difflib
import re
from collections.abc import Collection

from fleet_tui.core.text.filters.nodes import (
    MAX_DEPTH,
    MAX_TERMS,
    AllOf,
    AnyOf,
    Compare,
    Equals,
    FilterProblem,
    Like,
    Node,
    Not,
    Pattern,
    Since,
    Until,
    Word,
)
from fleet_tui.core.text.quantities import instant_ms
from fleet_tui.core.text.regex import RegexProblem, compile_bounded

KEY = re.compile(r"([A-Za-z][\w.-]*)(!=|<=|>=|:|=|<|>|~)")
_BARE_WORD = re.compile(r"[^\s()]+")
_BARE_VALUE = re.compile(r"[^\s()|\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SLASHED = re.compile(r"/((?:[^/\\]|\\.)*)/", re.DOTALL)
_SPACE = re.compile(r"\s*")
OR = re.compile(r"or(?=[\s()]|$)", re.IGNORECASE)


class Wrong(Exception):
    """Carries a problem out of the parser; :func:`parse` turns it into a value."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__()
        self.problem = FilterProblem(column, message, hint)


class Parser:
    """Reads one filter, from left to right: ``any := all ("or" all)*``, ``all := term*``."""

    def __init__(self, text: str, now_ms: int, keys: Collection[str], offset_minutes: int) -> None:
        self._text = text
        self._at = 0
        self._now_ms = now_ms
        self._keys = keys
        self._offset_minutes = offset_minutes
        self._terms = 0
        self._depth = 0

    def run(self) -> Node:
        """The whole of it. Raises :class:`Wrong` at the first thing that is not understood."""
        node = self._any()
        if self._at < len(self._text):
            raise Wrong(self._at, "this ) closes nothing")
        return node

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _any(self) -> Node:
        choices = [self._all()]
        while (found := OR.match(self._text, self._at)) is not None:
            if choices[-1] == AllOf(()):
                raise Wrong(self._at, "nothing stands before this or")
            self._at = found.end()
            choices.append(self._all())
            if choices[-1] == AllOf(()):
                raise Wrong(self._at, "nothing stands after or")
        return choices[0] if len(choices) == 1 else AnyOf(tuple(choices))

    def _all(self) -> Node:
        terms: list[Node] = []
        while True:
            self._skip()
            at_end = self._at >= len(self._text) or self._text[self._at] == ")"
            if at_end or OR.match(self._text, self._at):
                return terms[0] if len(terms) == 1 else AllOf(tuple(terms))
            terms.append(self._term())

    def _term(self) -> Node:
        start, text = self._at, self._text
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise Wrong(start, f"more than {MAX_TERMS} terms")
        match text[start]:
            case "-":
                return self._negated()
            case "(":
                return self._group()
            case '"':
                return Word(self._quoted())
            case "/":
                return self._slashed()
            case _:  # any other character begins a word
                return self._plain_term()

    def _plain_term(self) -> Node:
        start, text = self._at, self._text
        if (found := KEY.match(text, start)) is not None:
            return self._keyed(found)
        word = self._rest()
        self._at += len(word)
        return Word(word)

    def _negated(self) -> Node:
        self._enter()
        self._at += 1
        following = self._text[self._at : self._at + 1]
        if not following or following.isspace() or following == ")":
            raise Wrong(self._at - 1, "a term must follow - at once", 'quote it: "-"')
        term = self._term()
        self._depth -= 1
        return Not(term)

    def _group(self) -> Node:
        start = self._at
        self._enter()
        self._at += 1
        node = self._any()
        if self._at >= len(self._text):
            raise Wrong(start, "this ( is not closed")
        if node == AllOf(()):
            raise Wrong(start, "nothing stands between ( and )")
        self._at += 1
        self._depth -= 1
        return node

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Wrong(self._at, f"nested deeper than {MAX_DEPTH}")

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise Wrong(self._at, 'this " is not closed')
        if not found[1]:
            raise Wrong(self._at, "nothing stands between the quotes")
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)

    def _slashed(self) -> Node:
        found = _SLASHED.match(self._text, self._at)
        if found is None:
            raise Wrong(
                self._at, "this / is not closed", f'to search for a slash: "{self._rest()}"'
            )
        if not found[1]:
            raise Wrong(self._at, "nothing stands between the slashes")
        self._check_regex(found[1], self._at + 1)
        self._at = found.end()
        return Pattern(found[1])

    def _check_regex(self, source: str, column: int) -> None:
        problem = compile_bounded(source)
        if isinstance(problem, RegexProblem):
            raise Wrong(
                column + problem.column, f"regular expression: {problem.message}", "use words"
            )

    def _rest(self) -> str:
        """The word that begins here, to its end."""
        word = _BARE_WORD.match(self._text, self._at)
        assert word is not None, (self._text, self._at)
        return word[0]

    def _keyed(self, found: re.Match[str]) -> Node:
        key, operator = found[1].lower(), found[2]
        self._check_key(key, found)
        self._at = found.end()
        if key in ("since", "until"):
            if operator not in (":", "="):
                raise Wrong(found.start(2), f"{key} takes only :", f"{key}:10m or {key}:12:00")
            return self._instant(key)
        match operator:
            case ":" | "=":
                return Equals(key, self._values(key))
            case "!=":
                return Not(Equals(key, self._values(key)))
            case "~":
                return self._like(key)
            case "<" | ">" | "<=" | ">=":
                return Compare(key, operator, self._value(key))
            case _:
                raise AssertionError(operator)

    def _check_key(self, key: str, found: re.Match[str]) -> None:
        if key in self._keys or key in ("since", "until"):
            return
        head, dot, tail = key.partition(".")
        if dot and tail and f"{head}.*" in self._keys:
            return
        known = [*(name for name in self._keys if not name.endswith(".*")), "since", "until"]
        if dot:
            known = [name.replace("*", tail) for name in self._keys if name.endswith(".*")]
        close = difflib.get_close_matches(key, known)
        literal = f'quote it to search the text: "{self._rest()}"'
        hint = f"did you mean {close[0]}{found[2]}? or {literal}" if close else literal
        raise Wrong(found.start(), f"no key is named {found[1]}", hint)

    def _value(self, key: str) -> str:
        if self._text.startswith('"', self._at):
            return self._quoted()
        found = _BARE_VALUE.match(self._text, self._at)
        if found is None:
            raise Wrong(self._at, f"a value is missing after {key}")
        self._at = found.end()
        return found[0]

    def _values(self, key: str) -> tuple[str, ...]:
        values = [self._value(key)]
        while self._text.startswith("|", self._at):
            self._at += 1
            values.append(self._value(key))
        return tuple(values)

    def _like(self, key: str) -> Node:
        start = self._at
        if self._text.startswith("/", start):
            node = self._slashed()
            assert isinstance(node, Pattern), node
            return Like(key, node.source)
        found = _BARE_VALUE.match(self._text, start)
        if found is None:
            raise Wrong(
                start, f"a pattern is missing after {key}~", f"between slashes: {key}~/ab|cd/"
            )
        self._check_regex(found[0], start)
        self._at = found.end()
        return Like(key, found[0])

    def _instant(self, key: str) -> Node:
        start = self._at
        text = re.split(r"[\s)]", self._text[start:])[0]
        at_ms = instant_ms(text, self._now_ms, self._offset_minutes)
        if at_ms is None:
            raise Wrong(
                start,
                f"{key} needs a time",
                f"such as {key}:10m, {key}:12:00, {key}:2026-11-21T12:00",
            )
        self._at = start + len(text)
        return Since(text, at_ms) if key == "since" else Until(text, at_ms)
