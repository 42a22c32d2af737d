"""Lines that are only looked at: charts, bars, counts."""

from collections.abc import Sequence

from textual.strip import Strip

from fleet_tui.console.text.cells import Line
from fleet_tui.console.widgets.paint import Painted


class Block(Painted):
    """Some lines of cells; only those that changed are repainted."""

    DEFAULT_CSS = """
    Block { height: 1fr; }
    """

    def __init__(self, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._lines: tuple[Line, ...] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines from the top."""
        before, self._lines = self._lines, tuple(lines)
        for y in range(max(len(before), len(self._lines))):
            old = before[y] if y < len(before) else ()
            new = self._lines[y] if y < len(self._lines) else ()
            if old != new:
                self.refresh_row(y)

    def render_line(self, y: int) -> Strip:
        """One of the lines, empty after the last."""
        return self.paint(self._lines[y] if y < len(self._lines) else (), self.size.width)
