"""Agents, worst first."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

from textual import on

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.text.cells import Align, Cell, Tone, line_text
from fleet_tui.console.views.agents import rows
from fleet_tui.console.views.agents.rows import AgentRow, RunNumbers
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View

_RIGHT = Align.RIGHT

COLUMNS = (
    Column("state", "STATE", 13, priority=200),
    Column("agent", "AGENT", 8, priority=200, flex=2),
    Column("pool", "POOL", 8, priority=95, flex=1),
    Column("region", "REGION", 7, priority=75),
    Column("slots", "SLOTS", 9, priority=92),
    Column("queue", "QUEUE", 5, _RIGHT, priority=80),
    Column("p95", "P95", 5, _RIGHT, priority=90),
    Column("err", "ERR", 6, _RIGHT, priority=91),
    Column("cpu", "CPU", 4, _RIGHT, priority=70),
    Column("mem", "MEM", 4, _RIGHT, priority=50),
    Column("seen", "SEEN", 6, _RIGHT, priority=93),
    Column("config", "CONFIG", 9, priority=55),
    Column("cost", "COST", 10, _RIGHT, priority=45),
)
"""Narrow panes drop from the lowest priority up."""

MORE_COLUMNS = (
    *COLUMNS,
    Column("probe", "PROBE", 6, _RIGHT, priority=40),
    Column("host", "HOST", 12, priority=30, flex=2),
    Column("note", "NOTE", 16, priority=20, flex=6),
)

_SORT_KEYS: Mapping[str, Callable[[AgentRow], Value]] = {
    "state": lambda row: float(row.state.order),
    "slots": lambda row: float(row.slots_used),
    "queue": lambda row: row.queued,
    "cpu": lambda row: row.cpu_percent,
    "mem": lambda row: row.memory_percent,
    "seen": lambda row: row.seen_ms,
    "config": lambda row: row.version,
    "probe": lambda row: row.latency_ms,
    "note": lambda row: row.note,
}
"""Columns to sort by that are not filter keys."""


class HealthPane(TablePane[AgentRow]):
    """The fleet's agents. Where there is not enough space the healthy tail becomes one line."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes | {Scope.AGENTS}
    columns: ClassVar[tuple[Column, ...]] = COLUMNS
    filter_keys = rows.AGENT_FILTER_KEYS
    noun = ("agent", "agents")
    empty_text = "No agents yet: the fleet file names none. :help fleet file"
    help_text = (
        "Agents, worst first. A state is a sign and a word.\nSLOTS what runs there, QUEUE what "
        "waits inside the agent itself.\nP95 and ERR cover the runs of the last 15 minutes; - "
        "means no runs, not zero.\nSEEN is the age of the last answer: dim numbers are "
        "stale.\nFilter keys: agent pool region state cap client host p95 err cost version."
    )

    follow_top = True
    above_word = "worse"
    collapses: ClassVar[bool] = True
    """Whether the healthy tail may become one line."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._numbers: dict[AgentName, RunNumbers] = {}
        self._numbers_of: FleetState | None = None
        self._is_open = False
        """The tail is shown: the operator went down to it."""

    def on_mount(self) -> None:
        """Show the order in the header from the start."""
        self.table.set_sort("state", True)

    def records(self, view: View) -> Sequence[AgentRow]:
        """A row per agent, worst first."""
        before, state = self._numbers_of, view.state
        if (
            before is None
            or before.closed_tasks is not state.closed_tasks
            or before.dead_letters is not state.dead_letters
        ):
            self._numbers = rows.run_numbers(state.ended_tasks(), view.now_ms)
            self._numbers_of = state
        return rows.agent_rows(view, self._numbers)

    def row_id(self, record: AgentRow) -> str:
        """The agent's name."""
        return record.name

    def cells(self, record: AgentRow) -> Mapping[str, Cell]:
        """See :func:`fleet_tui.console.views.agents.rows.agent_cells`."""
        return rows.agent_cells(record, self.console.glyphs)

    def value(self, record: AgentRow, key: str) -> Value:
        """See :func:`fleet_tui.console.views.agents.rows.agent_value`."""
        return rows.agent_value(record, key)

    def sort_value(self, record: AgentRow, key: str) -> Value:
        """As in filters; other columns by their numbers."""
        own = _SORT_KEYS.get(key)
        return own(record) if own is not None else self.value(record, key)

    def text(self, record: AgentRow) -> str:
        """See :func:`fleet_tui.console.views.agents.rows.agent_text`."""
        return rows.agent_text(record)

    def is_problem(self, record: AgentRow) -> bool:
        """Whether it needs an operator's attention."""
        return record.is_problem

    def suggestions(self) -> Collection[str]:
        """Names, pools, regions and states that exist."""
        found: set[str] = set()
        for row in self.all_records:
            found |= {row.name, f"pool:{row.pool}", f"region:{row.region}", f"state:{row.state}"}
        return found

    def titles(self) -> Sequence[Cell]:
        """``Fleet health - 20 agents, worst first``."""
        count = len(self.all_records)
        order = ", worst first" if self._sort is None else f", by {self._sort[0]}"
        narrowed = self.problems_only or self.filter_text
        return (
            Cell("Fleet health", Tone.TITLE),
            Cell(f" - {count} {self.noun[count != 1]}{'' if narrowed else order}"),
        )

    def selection(self) -> Selection:
        """The marked agents, or the one under the cursor."""
        chosen = self.selected_records()
        texts = (line_text(self.cells(row).values()) for row in chosen)
        return Selection(agents=tuple(row.name for row in chosen), text="\n".join(texts))

    def _fill(self, shown: Sequence[AgentRow]) -> None:
        room = self.table.size.height - 1
        whole = len(shown) <= room or self._is_open or not self.collapses or room < 2
        if whole or self._sort is not None:
            self.table.show(self.make_rows(shown))
            return
        head, tail = shown[: room - 1], shown[room - 1 :]
        self.table.show(self.make_rows(head), tail=(Cell(rows.tail_text(tail), Tone.DIM),))

    @on(FleetTable.RowHighlighted)
    def _open_tail(self, event: FleetTable.RowHighlighted) -> None:
        """Going down to the last row shown opens the tail; the first row closes it."""
        row_id, table = event.row_id, self.table
        if not self._is_open and table.row_count < len(self.shown_records):
            if row_id == self.row_id(self.shown_records[table.row_count - 1]):
                self._is_open = True
                self.refill()
        elif self._is_open and self.shown_records and row_id == self.row_id(self.shown_records[0]):
            self._is_open = False
            self.refill()

    def on_resize(self) -> None:
        """Another height, another tail."""
        if self.view is not None:
            self.call_after_refresh(self.refill)


class AgentsPane(HealthPane):
    """Every agent with every column; nothing collapses."""

    columns: ClassVar[tuple[Column, ...]] = MORE_COLUMNS
    collapses = False
