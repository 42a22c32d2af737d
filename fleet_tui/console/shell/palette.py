"""ctrl+p: find any action, view, agent or task by some of its letters."""

from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.fuzzy import FuzzySearch
from textual.screen import ModalScreen
from textual.widgets import Input

from fleet_tui.console.actions.registry import ACTIONS
from fleet_tui.console.host import Stage
from fleet_tui.console.shell.host import ConsoleShell
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.widgets.command_bar import SafeInput
from fleet_tui.console.widgets.fleet_table import Column, FleetTable, Row
from fleet_tui.core.text.firewall import safe_line

MAX_TASKS = 500
"""Open tasks that are searched by label."""

MAX_SHOWN = 50

_COLUMNS = (
    Column("title", "", 30, flex=1, priority=200),
    Column("what", "", 24, flex=2, priority=100),
)


class PaletteEntry(NamedTuple):
    """An entry that can be found."""

    title: str
    what: str
    """Its keys, or what it is."""
    why_not: str
    """Why it is unavailable; empty when it is available."""
    run: Callable[[], None]


def entries(app: ConsoleShell, screen: Stage) -> Iterator[PaletteEntry]:
    """Actions as the registry has them, then agents, then open tasks."""
    context = screen.context()

    def perform(index: int) -> Callable[[], None]:
        return lambda: app.perform(ACTIONS[index])

    def go(place: Place) -> Callable[[], None]:
        return lambda: app.go(place)

    for index, action in enumerate(ACTIONS):
        if action.run is not None and action.name != "palette":
            why_not = action.disabled_reason(context) or ""
            yield PaletteEntry(action.title, app.keys.all_shown(action), why_not, perform(index))
    state = app.view.state
    for name in state.agents:
        yield PaletteEntry(safe_line(name), "agent", "", go(Place("agent", name)))
    for task in list(state.open_tasks.values())[:MAX_TASKS]:
        yield PaletteEntry(task.label, f"task, {task.phase.value}", "", go(Place("task", task.id)))


class Palette(ModalScreen[None]):
    """An input over a list of matches, best first; enter performs the first or the chosen one."""

    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical {
        width: 80; max-width: 95%; height: auto; margin-top: 2;
        border: solid $primary; background: $surface; padding: 0 1;
    }
    Palette SafeInput { border: none; height: 1; padding: 0; background: $surface; }
    Palette SafeInput:focus { border: none; }
    Palette FleetTable { height: 16; max-height: 60vh; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+p", "leave", "close", show=False, id="palette.close"),
        Binding("down", "move(1)", "down", show=False, id="palette.down"),
        Binding("up", "move(-1)", "up", show=False, id="palette.up"),
    ]

    def __init__(self, found: list[PaletteEntry]) -> None:
        super().__init__()
        self._all = found
        self._search = FuzzySearch(case_sensitive=False)

    def compose(self) -> ComposeResult:
        """Input and list."""
        with Vertical():
            yield SafeInput(placeholder="find an action, agent or task", max_length=100)
            yield FleetTable(_COLUMNS, header=False, empty="Nothing fits. esc closes")

    def on_mount(self) -> None:
        """Everything, before anything is typed."""
        self.query_one(SafeInput).focus()
        self._show("")

    def _show(self, query: str) -> None:
        scored = [
            (self._search.match(query, entry.title)[0] if query else 1.0, -at)
            for at, entry in enumerate(self._all)
        ]
        best = sorted((pair for pair in scored if pair[0] > 0), reverse=True)[:MAX_SHOWN]
        table = self.query_one(FleetTable)
        table.show([self._row(-at) for _, at in best])
        if best:
            table.move_to(str(-best[0][1]))

    def _row(self, at: int) -> Row:
        entry = self._all[at]
        tone = Tone.DIM if entry.why_not else Tone.PLAIN
        what = f"{entry.what}  {entry.why_not}".rstrip()
        return Row(str(at), (Cell(entry.title, tone), Cell(what, Tone.DIM)))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value.strip())

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self._run(self.query_one(FleetTable).cursor_id)

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        self._run(event.row_id)

    def _run(self, row_id: str | None) -> None:
        if row_id is not None:
            self.dismiss(None)
            self.app.call_later(self._all[int(row_id)].run)

    def action_move(self, rows: int) -> None:
        """Move in the list while the input keeps the focus."""
        self.query_one(FleetTable).action_cursor(rows)

    def action_leave(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)
