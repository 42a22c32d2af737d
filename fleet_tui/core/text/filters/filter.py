"""A filter that was understood."""

from collections.abc import Collection

from fleet_tui.core.text.filters.grammar import Parser, Wrong
from fleet_tui.core.text.filters.matching import finders_of, test_of
from fleet_tui.core.text.filters.nodes import MAX_FILTER_CHARS, MAX_SPANS, FilterProblem, Get, Node
from fleet_tui.core.text.filters.writing import written


class Filter:
    """A filter that was understood. ``str()`` gives text that parses to the same filter."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._test = test_of(node)
        self._finders = tuple(finders_of(node))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and other.node == self.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __str__(self) -> str:
        return written(self.node)

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
        return Filter(Parser(text, now_ms, keys, offset_minutes).run())
    except Wrong as wrong:
        return wrong.problem
