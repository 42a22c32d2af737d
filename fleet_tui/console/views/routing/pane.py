"""Routing decisions as they are made: newest first, each with its reason."""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from fleet_tui.console.actions.selection import Scope, Selection, decision_subject
from fleet_tui.console.text.cells import Cell, Tone, line_text
from fleet_tui.console.views.routing import rows
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.fleet_table import Column
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View


class RoutingPane(TablePane[DecisionRecord]):
    """A line per decision."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes | {Scope.TASKS, Scope.AGENTS}
    columns = (
        Column("at", "AT", 8, priority=190),
        Column("task", "TASK", 7, priority=200),
        Column("priority", "", 2, priority=180),
        Column("agent", "AGENT", 10, priority=195),
        Column("pool", "POOL", 8, priority=50),
        Column("kind", "HOW", 11, priority=170),
        Column("why", "WHY", 34, flex=1, priority=160),
    )
    has_header = False
    follow_top = True
    tells_place = False  # the newest is on top, and there are always more
    above_word = "newer"
    filter_keys = frozenset({"task", "agent", "pool", "prio", "rule"})
    noun = ("decision", "decisions")
    empty_text = "No routing decisions yet. {submit} submits a task; the reason appears here."
    help_text = (
        "Every decision with its reason, newest first. {why} explains one in full.\nheld: cannot "
        "be placed until something changes. waits: is placed when a slot is free.\nFilter keys: "
        "task agent pool prio rule."
    )

    def records(self, view: View) -> Sequence[DecisionRecord]:
        """The decisions held in the state, newest first."""
        return view.state.decisions[::-1]

    def row_id(self, record: DecisionRecord) -> str:
        """Its place in the ledger, and the task: one batch may decide several."""
        return f"{record.seq}:{record.task}"

    def cells(self, record: DecisionRecord) -> Mapping[str, Cell]:
        """See :func:`fleet_tui.console.views.routing.rows.decision_cells`."""
        return rows.decision_cells(record, self.console.glyphs, self.console.utc_offset_minutes)

    def value(self, record: DecisionRecord, key: str) -> Value:
        """``task agent pool prio rule``, and the columns."""
        match key:
            case "task":
                return f"t-{record.task_number}"
            case "agent":
                return record.decision.chosen
            case "pool":
                return record.decision.pool
            case "prio" | "priority":
                return f"P{record.priority.value}"
            case "rule":
                return tuple(r.rule.value for r in record.decision.rejections)
            case "at":
                return float(record.at_ms)
            case "kind":
                return rows.decision_word(record)
            case "why":
                return rows.decision_text(record)
            case _:  # a key of other lists only
                return None

    def is_problem(self, record: DecisionRecord) -> bool:
        """Held, waiting, or a second try."""
        return record.decision.chosen is None or record.attempt > 1

    def suggestions(self) -> Collection[str]:
        """Agents and pools that were chosen."""
        found: set[str] = set()
        for record in self.all_records:
            found |= {f"agent:{record.decision.chosen}", f"pool:{record.decision.pool}"}
        return found

    def titles(self) -> Sequence[Cell]:
        """``Routing decisions - 41/min, 1 held``."""
        status = self.console.status
        cells = [
            Cell("Routing decisions", Tone.TITLE),
            Cell(f" - {words.per_minute(status.decisions_per_minute)}"),
        ]
        if status.held:
            cells.append(Cell(f", {status.held} held", Tone.ERROR))
        return cells

    def selection(self) -> Selection:
        """The tasks of the marked decisions, and their agents."""
        chosen = self.selected_records()
        agents = (record.decision.chosen for record in chosen)
        return Selection(
            tasks=tuple(dict.fromkeys(record.task for record in chosen)),
            agents=tuple(dict.fromkeys(name for name in agents if name is not None)),
            decision=decision_subject(chosen[0].task, chosen[0].seq) if chosen else "",
            text="\n".join(line_text(self.cells(record).values()) for record in chosen),
        )
