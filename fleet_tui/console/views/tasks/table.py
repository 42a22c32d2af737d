"""Tasks: waiting, running, needing an operator, or recently ended."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.terminal.slices import Key
from fleet_tui.console.text.cells import Align, Cell, Tone, line_text
from fleet_tui.console.text.document import Pen, name, short
from fleet_tui.console.text.looks import task_cell
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.views.tasks.detail import span_ms
from fleet_tui.console.views.tasks.reasons import reasons
from fleet_tui.console.widgets.fleet_table import Column, FleetTable
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.tasks.filter import TASK_KEYS, task_text, task_value
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.tasks.words import TaskWord, listed, task_word, worst_first
from fleet_tui.core.text import words
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.feed.feed import View


class TaskRow(NamedTuple):
    """A task and the values of its line that change with time."""

    task: Task
    word: TaskWord
    span_ms: int
    """How long it has waited or run, in whole seconds; once it ended, its total time."""
    notes: tuple[str, ...] = ()
    """Irregularities of its open run: silence, a failing model."""


class TasksPane(TablePane[TaskRow]):
    """Open tasks and the most recently ended ones."""

    scopes: ClassVar[frozenset[Scope]] = TablePane.scopes | {Scope.TASKS}
    noun = ("task", "tasks")
    empty_text = "No tasks yet. {submit} submits one."
    help_text = (
        "Tasks that need an operator come first, then running, waiting and ended tasks.\nTIME is "
        "how long a task waits or runs; of an ended one, how long it took.\nFilter: state:held "
        "prio:P0 agent:agent-03 client:acme wait>1m cost>$1 label.team:ops"
    )
    columns = (
        Column("number", "TASK", 8, priority=200),
        Column("prio", "P", 2, priority=150),
        Column("state", "STATE", 16, priority=190),
        Column("agent", "AGENT", 10, priority=140),
        Column("client", "CLIENT", 8, priority=60),
        Column("time", "TIME", 6, Align.RIGHT, priority=180),
        Column("tries", "TRIES", 5, Align.RIGHT, priority=80),
        Column("cost", "COST", 7, Align.RIGHT, priority=70),
        Column("pool", "POOL", 8, priority=50),
        Column("reason", "REASON", 30, flex=1, priority=170),
        Column("text", "TEXT", 30, flex=1, priority=40),
    )
    filter_keys = TASK_KEYS

    def show(self, previous: View | None, view: View) -> None:
        """Do nothing while neither the state nor the second changed."""
        before = self.view
        same = previous is not None and before is not None and before.state is view.state
        if same and before is not None and before.now_ms // 1_000 == view.now_ms // 1_000:
            self.view = view
            return
        super().show(previous, view)

    def records(self, view: View) -> Sequence[TaskRow]:
        """The worst ``max_rows`` of all there are."""
        tasks = listed(view.state.tasks())
        return [self.row_of(task, view) for task in islice(tasks, self.max_rows)]

    def candidates(self) -> Iterable[TaskRow]:
        """Those, or all of them for a filter or another order."""
        view = self.view
        if view is None or not (self.is_narrowed or self._sort is not None):
            return self.all_records
        return (self.row_of(task, view) for task in view.state.tasks())

    def natural_order(self, record: TaskRow) -> Key:
        """Worst first."""
        return worst_first(record.task)

    def total(self) -> int:
        """All tasks that are remembered."""
        state = self.view.state if self.view is not None else EMPTY_STATE
        return len(state.open_tasks) + state.ended_count

    def row_of(self, task: Task, view: View) -> TaskRow:
        """A task with its current time-dependent values."""
        now_ms = view.now_ms
        told = notes(view.state, task, now_ms, self.console.utc_offset_minutes)
        return TaskRow(task, task_word(task), _whole_seconds(task, now_ms), tuple(told))

    def row_id(self, record: TaskRow) -> str:
        """The task's id."""
        return record.task.id

    def is_problem(self, record: TaskRow) -> bool:
        """Needs an operator, is held or unknown, or failed."""
        return record.word.is_problem

    def suggestions(self) -> Collection[str]:
        """States, pools, clients and agents in the list."""
        found: set[str] = set()
        for row in self.all_records:
            found |= {f"state:{row.word}", f"client:{row.task.spec.client}"}
            found |= {f"pool:{row.task.spec.pool}", row.task.label}
        return found

    def titles(self) -> Sequence[Cell]:
        """``Tasks - 173 open, 612 ended``."""
        open_count = len(self.view.state.open_tasks) if self.view is not None else 0
        ended = words.grouped(self.total() - open_count)
        return (
            Cell("Tasks", Tone.TITLE),
            Cell(f" - {words.grouped(open_count)} open, {ended} ended"),
        )

    def cells(self, record: TaskRow) -> Mapping[str, Cell]:
        """One task in a line."""
        task, spec = record.task, record.task.spec
        pen = Pen(self.console.glyphs, self.console.utc_offset_minutes)
        last = task.attempt
        on_agent = last is not None and task.phase is not TaskPhase.WAITING
        return {
            "number": Cell(task.label, Tone.ACCENT),
            "prio": Cell(spec.priority.name, Tone.TITLE if spec.priority == 0 else Tone.PLAIN),
            "state": task_cell(pen.glyphs, record.word),
            "agent": Cell(name(last.agent) if on_agent and last is not None else words.MISSING),
            "client": Cell(name(spec.client or words.MISSING)),
            "time": Cell(words.duration(record.span_ms)),
            "tries": Cell(str(len(task.attempts))),
            "cost": Cell(words.cost(task.cost_microusd, is_unknown=task.has_unknown_cost)),
            "pool": Cell(name(spec.pool or words.MISSING)),
            "reason": Cell(_reason(record), Tone.WARN if record.notes else Tone.PLAIN),
            "text": Cell(short(spec.shown), Tone.DIM),
        }

    def value(self, record: TaskRow, key: str) -> Value:
        """A task's value for a filter key: the same here and in ``fleet-tui tasks --filter``."""
        return task_value(record.task, key, self.view.now_ms if self.view is not None else 0)

    def sort_value(self, record: TaskRow, key: str) -> Value:
        """Columns that are not filter keys have an order too."""
        match key:
            case "number":
                return float(record.task.number)
            case "time":
                return float(record.span_ms)
            case "reason":
                return _reason(record)
            case "text":
                return short(record.task.spec.shown)
            case _:  # filter keys
                return self.value(record, key)

    def text(self, record: TaskRow) -> str:
        """The text of the line, and everything else that is searched for words."""
        return f"{super().text(record)} {task_text(record.task)}"

    def selection(self) -> Selection:
        """The tasks, and the agents they are on."""
        chosen = self.selected_records()
        tasks = [row.task for row in chosen]
        agents = tuple(dict.fromkeys(t.attempt.agent for t in tasks if t.attempt is not None))
        text = "\n".join(line_text(self.cells(row).values()) for row in chosen)
        return Selection(tasks=tuple(t.id for t in tasks), agents=agents, text=text)

    def _fill(self, shown: Sequence[TaskRow]) -> None:
        found = len(shown) if self.is_narrowed else self.total()
        more = found - self.max_rows
        how = self.console.keyed("{filter} narrows down")
        tail = (Cell(f"{words.grouped(more)} more; {how}", Tone.DIM),) if more > 0 else ()
        self.table.show(self.make_rows(shown[: self.max_rows]), tail=tail)

    @on(FleetTable.RowOpened)
    def _open(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        self.console.go(Place("task", event.row_id))


def _reason(row: TaskRow) -> str:
    return short(" · ".join(reasons(row.task, row.notes)))


def _whole_seconds(task: Task, now_ms: int) -> int:
    return span_ms(task, now_ms) // 1_000 * 1_000


class TasksScreen(FleetScreen):
    """The view of key 3."""

    help_text = TasksPane.help_text

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield TasksPane()
