"""Writes a filter as text that means the same."""

import re
from typing import assert_never

from fleet_tui.core.text.filters.grammar import KEY, OR
from fleet_tui.core.text.filters.nodes import (
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

_PLAIN_WORD = re.compile(r'[^\s()"/-][^\s()]*')
_PLAIN_VALUE = re.compile(r'[^\s()|"=<>~][^\s()|"]*')


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written_value(value: str) -> str:
    return value if _PLAIN_VALUE.fullmatch(value) else _quote(value)


def written(node: Node, inside: bool = False) -> str:
    """The text of a node; ``inside`` puts several terms into parentheses."""
    match node:
        case Word(text):
            plain = _PLAIN_WORD.fullmatch(text) and not KEY.match(text) and not OR.match(text)
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
            return f"-{written(term, inside=True)}"
        case AllOf(terms):
            text = " ".join(written(term, inside=True) for term in terms)
            return f"({text})" if inside and terms else text
        case AnyOf(terms):
            text = " or ".join(written(term, inside=isinstance(term, AnyOf)) for term in terms)
            return f"({text})" if inside else text
        case _:
            assert_never(node)


_PLAIN_LIKE = re.compile(r'[^\s()|"/][^\s()|"]*')
