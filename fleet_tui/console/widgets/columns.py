"""Columns and rows of a table, and the width of each column."""

from collections.abc import Sequence
from typing import NamedTuple

from fleet_tui.console.text.cells import Align, Line


class Column(NamedTuple):
    """A column: ``width`` in terminal cells is its minimum; ``flex`` shares the rest."""

    key: str
    title: str
    width: int
    align: Align = Align.LEFT
    flex: int = 0
    priority: int = 100
    """When the table is too narrow, columns with the lowest priority go first."""


class Row(NamedTuple):
    """One row. ``id`` is its identity over time; cells are in the order of the columns."""

    id: str
    cells: Line


class Placed(NamedTuple):
    """A column that fits: its position and width."""

    position: int
    column: Column
    x: int
    width: int


def place_columns(columns: Sequence[Column], width: int) -> tuple[Placed, ...]:
    """Which columns fit into ``width`` with one space between them, and how wide each gets.

    The last remaining column is kept whatever happens.
    """
    kept = list(enumerate(columns))
    while len(kept) > 1 and sum(c.width for _, c in kept) + len(kept) - 1 > width:
        kept.remove(min(kept, key=lambda item: (item[1].priority, -item[0])))
    spare = max(0, width - sum(c.width for _, c in kept) - len(kept) + 1)
    shares = sum(c.flex for _, c in kept)
    placed: list[Placed] = []
    x = 0
    for index, column in kept:
        extra = 0
        if column.flex:
            extra = spare * column.flex // shares
            spare, shares = spare - extra, shares - column.flex
        placed.append(Placed(index, column, x, min(column.width + extra, max(0, width - x))))
        x += column.width + extra + 1
    return tuple(placed)
