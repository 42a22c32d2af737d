"""The part of a filter that the store can evaluate, so that it need not return every line."""

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
"""The value of ``agent`` for our own lines; in the store they have no agent."""


def sieved(query: LogQuery, wanted: Filter, agents: Collection[AgentName]) -> LogQuery:
    """The query, narrowed by as much of the filter as it can express. Its results include every
    line that passes the filter, and others. ``agents`` are the names that can be queried."""
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
            ):  # nothing that a query can express
                pass
    return query


def _terms(node: Node) -> Iterator[Node]:
    """The terms that must all hold."""
    if isinstance(node, AllOf):
        for term in node.terms:
            yield from _terms(term)
    else:
        yield node


def _ranks(words: Collection[str]) -> list[Level]:
    """The levels of these words; the lowest where one is not a level's name."""
    known = RANKS["level"]
    return [Level(int(known.get(word.lower(), Level.UNKNOWN))) for word in words]


def _at_least(query: LogQuery, level: Level) -> LogQuery:
    return replace(query, level=max(level, query.level))
