"""What a filter asks of a thing, and what it highlights in a line."""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import TypeVar, assert_never

from fleet_tui.core.text.filters.nodes import (
    DURATION_KEYS,
    MAX_SPANS,
    MONEY_KEYS,
    RANKS,
    AllOf,
    AnyOf,
    Compare,
    Equals,
    Get,
    Like,
    Node,
    Not,
    Operator,
    Pattern,
    Since,
    Until,
    Value,
    Word,
)
from fleet_tui.core.text.quantities import number, span_ms
from fleet_tui.core.text.regex import BoundedRegex, compile_bounded

_Test = Callable[[Get, str], bool]


def test_of(node: Node) -> _Test:
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
            inner = test_of(term)
            return lambda get, line: not inner(get, line)
        case AllOf(terms):
            every = [test_of(term) for term in terms]
            return lambda get, line: all(test(get, line) for test in every)
        case AnyOf(terms):
            some = [test_of(term) for term in terms]
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


_Finder = Callable[[str], Iterable[tuple[int, int]]]


def finders_of(node: Node) -> Iterable[_Finder]:
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
                yield from finders_of(term)
        case Equals() | Compare() | Like() | Since() | Until() | Not():
            return
        case _:
            assert_never(node)
