"""What of a filter the store can answer, so that it does not have to give every line it has."""

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from fleet_tui.core.ids import AgentName
from fleet_tui.core.logs import Level, LogQuery
from fleet_tui.core.text.filters.filter import Filter
from fleet_tui.core.text.filters.nodes import (
    RANKS,
    AllOf,
    AnyOf,
    Compare,
    Equals,
    Like,
    Node,
    Not,
    Pattern,
    Since,
    Until,
    Word,
)

OURS = "fleet"
"""What our own lines answer for ``agent``; in the store they are nobody's."""


def sieved(query: LogQuery, wanted: Filter, agents: Collection[AgentName]) -> LogQuery:
    """The query, narrowed by as much of the filter as a query can say. Every line that the filter
    passes is among its answers; others are too. ``agents`` are names that can be asked for."""
    for term in _terms(wanted.node):
        match term:
            case Word(text) if text.isascii() and len(text) > len(query.contains):
                query = replace(query, contains=text)
            case Equals("level", values):
                query = _at_least(query, min(_ranks(values), default=Level.UNKNOWN))
            case Compare("level", ">=" | ">", operand):
                query = _at_least(query, min(_ranks((operand,)), default=Level.UNKNOWN))
            case Equals("agent", (agent,)) if (
                query.source is None and agent in agents and agent != OURS
            ):
                query = replace(query, source=AgentName(agent))
            case Since(_, at_ms):
                query = replace(query, since_ms=max(at_ms, query.since_ms or at_ms))
            case Until(_, at_ms):
                query = replace(query, until_ms=min(at_ms, query.until_ms or at_ms))
            case (
                Word() | Equals() | Compare() | Pattern() | Like() | Not() | AllOf() | AnyOf()
            ):  # nothing that a query can say
                pass
    return query


def _terms(node: Node) -> Iterator[Node]:
    """What must hold, each of it."""
    if isinstance(node, AllOf):
        for term in node.terms:
            yield from _terms(term)
    else:
        yield node


def _ranks(words: Collection[str]) -> list[Level]:
    """The levels of these words; the least of all where one is no level's name."""
    known = RANKS["level"]
    return [Level(int(known.get(word.lower(), Level.UNKNOWN))) for word in words]


def _at_least(query: LogQuery, level: Level) -> LogQuery:
    return replace(query, level=max(level, query.level))
