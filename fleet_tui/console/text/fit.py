"""How wide a text is in a terminal, and cutting it to a width."""

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size

from fleet_tui.console.text.cells import Align, Cell


def fit(text: str, width: int, align: Align = Align.LEFT) -> str:
    """The text in exactly ``width`` terminal cells: cut with ``…`` or padded with spaces."""
    if width <= 0:
        return ""
    size = len(text) if text.isascii() else cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    space = " " * (width - size)
    return space + text if align is Align.RIGHT else text + space


def line_width(cells: Iterable[Cell]) -> int:
    """Terminal cells the pieces take together."""
    return sum(cell_len(cell.text) for cell in cells)
