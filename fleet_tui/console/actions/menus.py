"""Small lists to choose from with one key."""

from collections.abc import Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.widgets.fleet_table import Column, FleetTable, Row
from fleet_tui.console.widgets.lines import OneLine
from fleet_tui.core.fleet import Priority

C = TypeVar("C")

_COLUMNS = (
    Column("key", "", 3, priority=200),
    Column("title", "", 30, priority=190),
    Column("why", "", 20, flex=1, priority=100),
)


class Choice(NamedTuple, Generic[C]):
    """One line of a menu."""

    value: C
    key: str
    title: str
    why_not: str = ""
    """Why it cannot be chosen; empty when it can."""


class Menu(ModalScreen[C | None], Generic[C]):
    """A list with a key for each line; enter or the key chooses, escape leaves."""

    DEFAULT_CSS = """
    Menu { align: center middle; }
    Menu > Vertical {
        width: 76; max-width: 90%; height: auto; max-height: 80%;
        border: solid $primary; background: $surface; padding: 0 1;
    }
    Menu FleetTable { height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "close", show=False, id="menu.close"),
    ]

    def __init__(self, title: str, choices: Sequence[Choice[C]]) -> None:
        """``title`` and the choices are safe text."""
        super().__init__()
        self._title = title
        self._choices = tuple(choices)

    def compose(self) -> ComposeResult:
        """The title and the list."""
        with Vertical():
            yield OneLine((Cell(self._title, Tone.TITLE),))
            yield FleetTable(_COLUMNS, header=False, empty="Nothing to choose. esc closes")

    def on_mount(self) -> None:
        """Fill the list."""
        table = self.query_one(FleetTable)
        table.styles.height = max(1, min(len(self._choices), self.app.size.height - 8))
        table.show(
            [
                Row(
                    str(index),
                    (
                        Cell(each.key, Tone.DIM if each.why_not else Tone.KEY),
                        Cell(each.title, Tone.DIM if each.why_not else Tone.PLAIN),
                        Cell(each.why_not, Tone.DIM),
                    ),
                )
                for index, each in enumerate(self._choices)
            ]
        )
        table.focus()

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        self._choose(self._choices[int(event.row_id)])

    def on_key(self, event: events.Key) -> None:
        """The key of a line chooses it."""
        for each in self._choices:
            if event.character is not None and event.character == each.key:
                event.stop()
                self._choose(each)
                return

    def _choose(self, choice: Choice[C]) -> None:
        if choice.why_not:
            self.app.bell()
        else:
            self.dismiss(choice.value)

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


class SortMenu(Menu[str]):
    """The columns of a table."""

    def __init__(self, columns: Sequence[tuple[str, str]]) -> None:
        choices = [Choice(key, "", title) for key, title in columns]
        super().__init__("Sort by - the same again reverses", choices)


class PriorityMenu(Menu[Priority]):
    """P0 to P3."""

    def __init__(self, title: str) -> None:
        """``title`` is safe text."""
        choices = [Choice(p, str(p.value), f"{p.name} {p.word}") for p in Priority]
        super().__init__(title, choices)
