"""Dead letters: failed work that needs attention, grouped by kind of failure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.terminal.slices import Key
from fleet_tui.console.text.cells import Align, Cell, Tone, line_text
from fleet_tui.console.text.document import name, short
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.views.tasks.table import TaskRow, TasksPane
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.dead_letters import (
    MAX_CLIENTS_NAMED,
    DeadLetters,
    failure_kind,
    fingerprint,
)
from fleet_tui.core.tasks.dead_letters import group as grouped
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View

MAX_SAMPLE_CHARS = 200


def same_letters(before: FleetState, now: FleetState) -> bool:
    """Whether the groups are unchanged."""
    return before.dead_letters is now.dead_letters and before.fleet is now.fleet


class DeadPane(TablePane[DeadLetters]):
    """One row per kind of failure, the most recent first."""

    scopes: ClassVar[frozenset[Scope]] = frozenset({Scope.ROWS, Scope.FILTER, Scope.DEAD})
    noun = ("group", "groups")
    empty_text = "No dead letters. {tasks} lists all tasks."
    help_text = (
        "A dead letter is a task that failed or expired. It stays here until somebody requeues\n"
        "or drops it. Those that failed in the same way are one row: agents' names and numbers\n"
        "do not count. {open} opens the tasks of a group; "
        "{requeue} and {drop} act on all of them.\n"
        "Filter: kind:timeout client:acme count>10 age>1h"
    )
    columns = (
        Column("count", "COUNT", 6, Align.RIGHT, priority=200),
        Column("kind", "WHAT WENT WRONG", 40, flex=3, priority=190),
        Column("first", "FIRST", 11, priority=90),
        Column("last", "LAST", 11, priority=180),
        Column("clients", "CLIENTS", 14, priority=100),
        Column("sample", "NEWEST", 12, flex=2, priority=140),
        Column("id", "GROUP", 8, priority=60),
    )
    filter_keys = frozenset({"kind", "client", "count", "age", "id"})

    def __init__(self) -> None:
        super().__init__()
        self._seen: FleetState | None = None

    def records(self, view: View) -> Sequence[DeadLetters]:
        """Grouping ten thousand takes a while, so it is done only when they change."""
        state, seen = view.state, self._seen
        self._seen = state
        if seen is not None and same_letters(seen, state):
            return self.all_records
        return grouped(state.dead_letters.values(), state.fleet)

    def row_id(self, record: DeadLetters) -> str:
        """The fingerprint."""
        return record.fingerprint

    def titles(self) -> Sequence[Cell]:
        """``Dead letters - 37 in 4 groups``."""
        tasks = sum(group.count for group in self.all_records)
        groups = len(self.all_records)
        if not tasks:
            return (Cell("Dead letters", Tone.TITLE), Cell(" - none"))
        return (
            Cell("Dead letters", Tone.TITLE),
            Cell(f" - {words.grouped(tasks)} in {words.plural(groups, 'group')}", Tone.WARN),
        )

    def suggestions(self) -> Collection[str]:
        """The clients of the dead letters."""
        return {f"client:{client}" for group in self.all_records for client in group.clients}

    def cells(self, record: DeadLetters) -> Mapping[str, Cell]:
        """One group in a line."""
        offset = self.console.utc_offset_minutes
        sample = record.sample
        shown = f"{sample.label} {short(sample.spec.shown)}"[:MAX_SAMPLE_CHARS]
        return {
            "count": Cell(words.grouped(record.count), Tone.WARN),
            "kind": Cell(short(record.kind)),
            "first": Cell(_when(record.first_ms, offset), Tone.DIM),
            "last": Cell(_when(record.last_ms, offset)),
            "clients": Cell(_clients(record)),
            "sample": Cell(shown, Tone.DIM),
            "id": Cell(record.fingerprint, Tone.ACCENT),
        }

    def value(self, record: DeadLetters, key: str) -> Value:
        """A group's value for a filter key or column."""
        now_ms = self.view.now_ms if self.view is not None else 0
        answers: dict[str, Value] = {
            "kind": record.kind,
            "client": record.clients,
            "clients": record.clients,
            "count": float(record.count),
            "first": float(record.first_ms),
            "last": float(record.last_ms),
            "age": float(words.elapsed_ms(record.first_ms, now_ms)),
            "sample": record.sample.label,
            "id": record.fingerprint,
        }
        return answers.get(key)

    def selection(self) -> Selection:
        """Every task of the groups."""
        chosen = self.selected_records()
        text = "\n".join(line_text(self.cells(group).values()) for group in chosen)
        return Selection(tasks=tuple(t for group in chosen for t in group.tasks), text=text)

    @on(FleetTable.RowOpened)
    def _open(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        self.console.go(Place("dead", event.row_id))


def _when(at_ms: int, offset_minutes: int) -> str:
    """``03-05 12:04``, without the year."""
    return words.date_clock(at_ms, offset_minutes)[5:16]


def _clients(record: DeadLetters) -> str:
    """``acme, globex``; ``…`` where there may be more."""
    listed = ", ".join(name(client) for client in record.clients)
    more = ", …" if len(record.clients) == MAX_CLIENTS_NAMED else ""
    return f"{listed}{more}" or words.MISSING


class GroupPane(TasksPane):
    """The tasks of one group, the newest first."""

    empty_text = "This group is empty: its tasks were requeued or dropped. {clear} goes back."

    def __init__(self, wanted: str) -> None:
        """``wanted`` is the group's fingerprint."""
        super().__init__()
        self._wanted = wanted
        self._kind = ""
        self._seen: FleetState | None = None

    def records(self, view: View) -> Sequence[TaskRow]:
        """Those that failed in this way."""
        state, seen = view.state, self._seen
        self._seen = state
        if seen is not None and same_letters(seen, state):
            return self.all_records
        found: list[TaskRow] = []
        for task in reversed(state.dead_letters.values()):
            kind = failure_kind(task, state.fleet)
            if fingerprint(kind) == self._wanted:
                self._kind = kind
                found.append(self.row_of(task, view))
        return found

    def candidates(self) -> Iterable[TaskRow]:
        """Only those of the group."""
        return self.all_records

    def natural_order(self, record: TaskRow) -> Key:
        """The newest first."""
        return (0, float(-(record.task.ended_at_ms or 0)), "")

    def total(self) -> int:
        """How many are in the group."""
        return len(self.all_records)

    def titles(self) -> Sequence[Cell]:
        """``12 dead letters - failed: model-error``."""
        return (
            Cell(words.plural(len(self.all_records), "dead letter"), Tone.TITLE),
            Cell(f" - {short(self._kind)}" if self._kind else "", Tone.ERROR),
        )


class DeadScreen(FleetScreen):
    """The view of key u; ``Place("dead", fingerprint)`` shows the tasks of one group."""

    help_text: ClassVar[str] = DeadPane.help_text

    def crumb(self) -> str:
        """The group's fingerprint."""
        return f"group {name(self.place.subject)}" if self.place.subject else ""

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield GroupPane(self.place.subject) if self.place.subject else DeadPane()
