"""The filter language of tables, logs, selectors and alerts: one grammar, one meaning.

``word`` ``"two words"`` ``/regex/`` ``key:value`` ``key:a|b`` ``key!=v`` ``key>5s`` ``key~re``
``-term`` ``since:10m`` ``until:12:00``; spaces mean *and*, ``or`` and ``( )`` have their usual
meaning.

Everything ignores case. A word is searched in the text of the line. ``key:value`` compares whole
values, ``*`` matches anything. Comparisons understand units: ``5s`` ``10m`` ``80%`` ``12k`` ``$4``.
The values of a row are milliseconds, microusd and hundredths, as everywhere.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import Literal, TypeVar, assert_never

import msgspec

from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.logs import Level
from fleet_tui.core.text.quantities import instant_ms, number, span_ms
from fleet_tui.core.text.regex import BoundedRegex, RegexProblem, compile_bounded

MAX_FILTER_CHARS = 1_000
MAX_TERMS = 50
MAX_DEPTH = 10
MAX_SPANS = 100
"""Highlights in one line."""

DURATION_KEYS = frozenset({"p95", "wait", "age"})
"""Keys whose values are milliseconds: a number without a unit means seconds."""

MONEY_KEYS = frozenset({"cost"})
"""Keys whose values are microusd: a number without a unit means dollars."""

_LEVELS = {level.name.lower(): level for level in Level}
RANKS: dict[str, dict[str, float]] = {"level": {**{s.value: s.level for s in Severity}, **_LEVELS}}
"""Ordered words, by key: those of lines, events and alerts share one order."""

Value = str | float | tuple[str, ...] | frozenset[str] | None
"""The value of a row for a key: a word, a number, several words, or nothing."""

Get = Callable[[str], Value]

Operator = Literal["<=", ">=", "<", ">"]


class Word(msgspec.Struct, frozen=True, tag=True):
    """The text contains this."""

    text: str


class Pattern(msgspec.Struct, frozen=True, tag=True):
    """The text contains a match."""

    source: str


class Equals(msgspec.Struct, frozen=True, tag=True):
    """The value is one of these; ``*`` matches anything."""

    key: str
    values: tuple[str, ...]


class Compare(msgspec.Struct, frozen=True, tag=True):
    """The value is on this side of the operand."""

    key: str
    operator: Operator
    operand: str


class Like(msgspec.Struct, frozen=True, tag=True):
    """The value contains a match."""

    key: str
    source: str


class Since(msgspec.Struct, frozen=True, tag=True):
    """Not before an instant; ``text`` is the instant as typed."""

    text: str
    at_ms: int


class Until(msgspec.Struct, frozen=True, tag=True):
    """Not after an instant."""

    text: str
    at_ms: int


class Not(msgspec.Struct, frozen=True, tag=True):
    """The term does not hold."""

    term: "Node"


class AllOf(msgspec.Struct, frozen=True, tag=True):
    """Every term holds."""

    terms: tuple["Node", ...]


class AnyOf(msgspec.Struct, frozen=True, tag=True):
    """At least one term holds."""

    terms: tuple["Node", ...]


Node = Word | Pattern | Equals | Compare | Like | Since | Until | Not | AllOf | AnyOf


class FilterProblem(msgspec.Struct, frozen=True):
    """Why a filter was not understood. ``column`` counts from 0; ``hint`` may be empty."""

    column: int
    message: str
    hint: str = ""


class Filter:
    """A filter that was understood. ``str()`` gives text that parses to the same filter."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._test = _test(node)
        self._finders = tuple(_finders(node))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and other.node == self.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __str__(self) -> str:
        return _written(self.node)

    def __repr__(self) -> str:
        return f"Filter({str(self)!r})"

    def matches(self, get: Get, text: str) -> bool:
        """Whether a row passes; ``get`` returns the value for a key, ``text`` is searched for
        words."""
        return self._test(get, text)

    def spans(self, text: str) -> tuple[tuple[int, int], ...]:
        """Where in a text the words and patterns are found: ordered, apart, at most 100."""
        hits = (span for finder in self._finders for span in finder(text))
        found = sorted((start, end) for start, end in hits if end > start)
        apart: list[tuple[int, int]] = []
        for start, end in found[:MAX_SPANS]:
            if apart and start <= apart[-1][1]:
                apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
            else:
                apart.append((start, end))
        return tuple(apart)


def parse(
    text: str, *, now_ms: int, keys: Collection[str], offset_minutes: int = 0
) -> Filter | FilterProblem:
    """The filter a text means, or the first thing in it that is wrong.

    ``keys`` are those that the rows have values for; ``label.*`` allows any label. Clock times are
    ``offset_minutes`` ahead of UTC. The empty text passes everything.
    """
    if len(text) > MAX_FILTER_CHARS:
        return FilterProblem(MAX_FILTER_CHARS, f"longer than {MAX_FILTER_CHARS} characters")
    try:
        return Filter(_Parser(text, now_ms, keys, offset_minutes).run())
    except _Wrong as wrong:
        return wrong.problem


# --- reading ---

_KEY = re.compile(r"([A-Za-z][\w.-]*)(!=|<=|>=|:|=|<|>|~)")
_BARE_WORD = re.compile(r"[^\s()]+")
_BARE_VALUE = re.compile(r"[^\s()|\"]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SLASHED = re.compile(r"/((?:[^/\\]|\\.)*)/", re.DOTALL)
_SPACE = re.compile(r"\s*")
_OR = re.compile(r"or(?=[\s()]|$)", re.IGNORECASE)


class _Wrong(Exception):
    """Carries a problem out of the parser; never leaves this module."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__()
        self.problem = FilterProblem(column, message, hint)


class _Parser:
    def __init__(self, text: str, now_ms: int, keys: Collection[str], offset_minutes: int) -> None:
        self._text = text
        self._at = 0
        self._now_ms = now_ms
        self._keys = keys
        self._offset_minutes = offset_minutes
        self._terms = 0
        self._depth = 0

    def run(self) -> Node:
        node = self._any()
        if self._at < len(self._text):
            raise _Wrong(self._at, "this ) closes nothing")
        return node

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _any(self) -> Node:
        choices = [self._all()]
        while (found := _OR.match(self._text, self._at)) is not None:
            if choices[-1] == AllOf(()):
                raise _Wrong(self._at, "nothing stands before this or")
            self._at = found.end()
            choices.append(self._all())
            if choices[-1] == AllOf(()):
                raise _Wrong(self._at, "nothing stands after or")
        return choices[0] if len(choices) == 1 else AnyOf(tuple(choices))

    def _all(self) -> Node:
        terms: list[Node] = []
        while True:
            self._skip()
            at_end = self._at >= len(self._text) or self._text[self._at] == ")"
            if at_end or _OR.match(self._text, self._at):
                return terms[0] if len(terms) == 1 else AllOf(tuple(terms))
            terms.append(self._term())

    def _term(self) -> Node:
        start, text = self._at, self._text
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise _Wrong(start, f"more than {MAX_TERMS} terms")
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
        if (found := _KEY.match(text, start)) is not None:
            return self._keyed(found)
        word = self._rest()
        self._at += len(word)
        return Word(word)

    def _negated(self) -> Node:
        self._enter()
        self._at += 1
        following = self._text[self._at : self._at + 1]
        if not following or following.isspace() or following == ")":
            raise _Wrong(self._at - 1, "a term must follow - at once", 'quote it: "-"')
        term = self._term()
        self._depth -= 1
        return Not(term)

    def _group(self) -> Node:
        start = self._at
        self._enter()
        self._at += 1
        node = self._any()
        if self._at >= len(self._text):
            raise _Wrong(start, "this ( is not closed")
        if node == AllOf(()):
            raise _Wrong(start, "nothing stands between ( and )")
        self._at += 1
        self._depth -= 1
        return node

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _Wrong(self._at, f"nested deeper than {MAX_DEPTH}")

    def _quoted(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise _Wrong(self._at, 'this " is not closed')
        if not found[1]:
            raise _Wrong(self._at, "nothing stands between the quotes")
        self._at = found.end()
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)

    def _slashed(self) -> Node:
        found = _SLASHED.match(self._text, self._at)
        if found is None:
            raise _Wrong(
                self._at, "this / is not closed", f'to search for a slash: "{self._rest()}"'
            )
        if not found[1]:
            raise _Wrong(self._at, "nothing stands between the slashes")
        self._check_regex(found[1], self._at + 1)
        self._at = found.end()
        return Pattern(found[1])

    def _check_regex(self, source: str, column: int) -> None:
        problem = compile_bounded(source)
        if isinstance(problem, RegexProblem):
            raise _Wrong(
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
                raise _Wrong(found.start(2), f"{key} takes only :", f"{key}:10m or {key}:12:00")
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
        raise _Wrong(found.start(), f"no key is named {found[1]}", hint)

    def _value(self, key: str) -> str:
        if self._text.startswith('"', self._at):
            return self._quoted()
        found = _BARE_VALUE.match(self._text, self._at)
        if found is None:
            raise _Wrong(self._at, f"a value is missing after {key}")
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
            raise _Wrong(
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
            raise _Wrong(
                start,
                f"{key} needs a time",
                f"such as {key}:10m, {key}:12:00, {key}:2026-11-21T12:00",
            )
        self._at = start + len(text)
        return Since(text, at_ms) if key == "since" else Until(text, at_ms)


# --- testing ---

_Test = Callable[[Get, str], bool]


def _test(node: Node) -> _Test:
    """The test for a node, with everything that can be prepared done once."""
    match node:
        case Word(text):
            wanted = text.lower()
            return lambda _, line: wanted in line.lower()
        case Pattern(source):
            found = _compiled(source)
            return lambda _, line: found.is_in(line)
        case Equals(key, values):
            return _equals(key, values)
        case Compare(key, operator, operand):
            return _compare(key, operator, operand)
        case Like(key, source):
            like = _compiled(source)
            return lambda get, _: any(like.is_in(word) for word in _words(get(key)))
        case Since(_, at_ms):
            return lambda get, _: isinstance(at := get("at"), int | float) and at >= at_ms
        case Until(_, at_ms):
            return lambda get, _: isinstance(at := get("at"), int | float) and at <= at_ms
        case Not(term):
            inner = _test(term)
            return lambda get, line: not inner(get, line)
        case AllOf(terms):
            every = [_test(term) for term in terms]
            return lambda get, line: all(test(get, line) for test in every)
        case AnyOf(terms):
            some = [_test(term) for term in terms]
            return lambda get, line: any(test(get, line) for test in some)
        case _:
            assert_never(node)


def _compiled(source: str) -> BoundedRegex:
    regex = compile_bounded(source)
    assert isinstance(regex, BoundedRegex), regex
    return regex


def _operand(key: str, text: str) -> float | None:
    """The number an operand means for a key, or None if it is a word."""
    if (rank := RANKS.get(key, {}).get(text.lower())) is not None:
        return rank
    unit = 1e6 if key in MONEY_KEYS else 1e3 if key in DURATION_KEYS else 1.0
    return span if (span := span_ms(text)) is not None else number(text, unit)


def _words(value: Value) -> Iterable[str]:
    match value:
        case None:
            return ()
        case str():
            return (value,)
        case int() | float():
            return (f"{value:g}",)
        case _:  # several words: mypy names a member that is none
            return value


_THEMSELVES = str.maketrans({"[": "[[]", "?": "[?]"})
"""Characters special to fnmatchcase that are literal here."""


def _equals(key: str, values: Sequence[str]) -> _Test:
    wanted = [value.lower() for value in values]
    numbers = {known for value in values if (known := _operand(key, value)) is not None}

    def test(get: Get, _: str) -> bool:
        value = get(key)
        if isinstance(value, int | float):
            return value in numbers
        lowered = [word.lower() for word in _words(value)]
        return any(
            word == want or ("*" in want and fnmatchcase(word, want.translate(_THEMSELVES)))
            for word in lowered
            for want in wanted
        )

    return test


def _compare(key: str, operator: Operator, text: str) -> _Test:
    operand = _operand(key, text)
    natural = _natural(text)
    ranks = RANKS.get(key, {})

    def test(get: Get, _: str) -> bool:
        value = get(key)
        if isinstance(value, str) and value.lower() in ranks:
            value = ranks[value.lower()]
        if isinstance(value, int | float):
            return operand is not None and _holds(operator, value, operand)
        return isinstance(value, str) and _holds(operator, _natural(value), natural)

    return test


_Comparable = TypeVar("_Comparable", float, list[tuple[int, int, str]])


def _holds(operator: Operator, left: _Comparable, right: _Comparable) -> bool:
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case _:
            assert_never(operator)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Order in which 1.10 comes after 1.9: numbers by value, before words."""
    pieces = re.findall(r"0*([0-9]+)|([^0-9]+)", text.lower())
    # An agent's own version may have more digits than Python makes a number of.
    return [(0, len(digits), digits) if digits else (1, 0, word) for digits, word in pieces]


# --- highlighting and writing ---


_Finder = Callable[[str], Iterable[tuple[int, int]]]


def _finders(node: Node) -> Iterable[_Finder]:
    """Words and patterns to highlight: those that must match, not those that are excluded."""
    match node:
        case Word(text):
            word = re.compile(re.escape(text), re.IGNORECASE)
            yield lambda line: (hit.span() for hit in islice(word.finditer(line), MAX_SPANS))
        case Pattern(source):
            regex = _compiled(source)
            yield lambda line: regex.spans(line, MAX_SPANS)
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                yield from _finders(term)
        case Equals() | Compare() | Like() | Since() | Until() | Not():
            return
        case _:
            assert_never(node)


_PLAIN_WORD = re.compile(r'[^\s()"/-][^\s()]*')
_PLAIN_VALUE = re.compile(r'[^\s()|"=<>~][^\s()|"]*')


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written_value(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else _quote(value)


def _written(node: Node, inside: bool = False) -> str:
    """The text of a node; ``inside`` puts several terms into parentheses."""
    match node:
        case Word(text):
            plain = _PLAIN_WORD.fullmatch(text) and not _KEY.match(text) and not _OR.match(text)
            return text if plain else _quote(text)
        case Pattern(source):
            return f"/{source}/"
        case Equals(key, values):
            return f"{key}:{'|'.join(map(_written_value, values))}"
        case Compare(key, operator, operand):
            return f"{key}{operator}{_written_value(operand)}"
        case Like(key, source):
            return f"{key}~/{source}/" if not _PLAIN_LIKE.fullmatch(source) else f"{key}~{source}"
        case Since(text, _):
            return f"since:{text}"
        case Until(text, _):
            return f"until:{text}"
        case Not(Equals(key, values)):
            return f"{key}!={'|'.join(map(_written_value, values))}"
        case Not(term):
            return f"-{_written(term, inside=True)}"
        case AllOf(terms):
            text = " ".join(_written(term, inside=True) for term in terms)
            return f"({text})" if inside and terms else text
        case AnyOf(terms):
            text = " or ".join(_written(term, inside=isinstance(term, AnyOf)) for term in terms)
            return f"({text})" if inside else text
        case _:
            assert_never(node)


_PLAIN_LIKE = re.compile(r'[^\s()|"/][^\s()|"]*')
