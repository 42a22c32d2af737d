"""What a filter is made of, and what its words mean."""

from collections.abc import Callable
from typing import Literal

import msgspec

from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.logs import Level

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
