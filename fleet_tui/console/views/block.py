"""Read-only lines: charts, bars, counts."""

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.strip import Strip

from fleet_tui.console.text.cells import Cell, Line
from fleet_tui.console.views.pane import Pane
from fleet_tui.console.widgets.paint import Painted
from fleet_tui.feed.feed import View


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


class BlockPane(Pane):
    """A pane of such lines, rebuilt from each view for the available space."""

    view: View | None = None
    """The view that it shows."""

    def compose_pane(self) -> ComposeResult:
        """A block of lines."""
        yield Block()

    def titles(self, view: View) -> Sequence[Cell]:
        """The title in the frame."""
        del view
        return ()

    def lines(self, view: View, width: int, height: int) -> Sequence[Line]:
        """The content, defined by each pane."""
        del view, width, height
        return ()

    def show(self, previous: View | None, view: View) -> None:
        """Show a view."""
        del previous
        self.view = view
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Rebuild for the new width."""
        del event
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if self.view is None:
            return
        self.set_title(*self.titles(self.view))
        block = self.query_one(Block)
        width, height = block.size
        if width > 0:
            block.show(self.lines(self.view, width, height))
