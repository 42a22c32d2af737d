"""Tasks: what waits, runs, needs somebody, or ended not long ago."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.cells import Align, Cell, Tone
from fleet_tui.console.detail_rows import Pen, name, short, task_word, word_cell
from fleet_tui.console.panes.list_pane import ListPane
from fleet_tui.console.places import Place
from fleet_tui.console.screens.base import FleetScreen
from fleet_tui.console.selection import Scope, Selection
from fleet_tui.console.task_detail import span_ms
from fleet_tui.console.why import waiting_words
from fleet_tui.console.widgets.fleet_table import Column, FleetTable, Row
from fleet_tui.core import words
from fleet_tui.core.filters import Value
from fleet_tui.core.state import Task, TaskPhase
from fleet_tui.feed.feed import View

_URGENCY = {
    "needs-operator": 0,
    "unknown": 1,
    "held": 2,
    "cancelling": 3,
    "running": 4,
    "planned": 4,
    "waiting": 5,
    "failed": 6,
    "expired": 6,
    "cancelled": 7,
    "succeeded": 8,
}
"""Worst first: what waits for a person, then what runs, then the queue, then the past."""

_PROBLEMS = frozenset({"needs-operator", "unknown", "held", "failed", "expired"})


class TasksPane(ListPane[Task]):
    """Open tasks and the most recently ended ones."""

    scopes = frozenset({Scope.ROWS, Scope.FILTER, Scope.TASKS})
    noun = "task"
    empty = "No tasks yet. T submits one."
    help_text = (
        "Tasks that need somebody come first, then running, waiting and ended ones.\n"
        "TIME is how long a task waits or runs; of an ended one, how long it took.\n"
        "Filter: state:held prio:P0 agent:agent-03 client:acme wait>1m cost>$1 label.team:ops"
    )
    columns = (
        Column("task", "TASK", 8, priority=200),
        Column("prio", "P", 2, priority=150),
        Column("state", "STATE", 16, priority=190),
        Column("agent", "AGENT", 10, priority=140),
        Column("client", "CLIENT", 8, priority=60),
        Column("time", "TIME", 6, Align.RIGHT, priority=180),
        Column("tries", "TRIES", 5, Align.RIGHT, priority=80),
        Column("cost", "COST", 7, Align.RIGHT, priority=70),
        Column("pool", "POOL", 8, priority=50),
        Column("reason", "REASON", 20, flex=1, priority=170),
    )
    filter_keys = frozenset(
        {"task", "state", "prio", "agent", "pool", "client", "project", "wait", "age", "cost",
         "tries", "region", "class", "cap", "by", "label.*"}
    )  # fmt: skip

    def items(self, view: View) -> Sequence[Task]:
        """Worst first; within the same urgency by priority, then the oldest waiting first."""
        state = view.state
        listed = [*state.open_tasks.values(), *reversed(state.closed_tasks.values())]
        return sorted(listed, key=_urgency)

    def id_of(self, item: Task) -> str:
        """The task's id."""
        return item.id

    def is_problem(self, item: Task) -> bool:
        """Needs somebody, is held or lost, or failed."""
        return task_word(item) in _PROBLEMS

    def is_settled(self, item: Task) -> bool:
        """Ended tasks stay as they are."""
        return item.phase.is_closed

    def title(self, view: View) -> str:
        """How many are open and how many ended ones are remembered."""
        state = view.state
        return (
            f"Tasks - {words.grouped(len(state.open_tasks))} open, "
            f"{words.grouped(len(state.closed_tasks))} ended"
        )

    def row(self, item: Task, view: View, pen: Pen) -> Row:
        """One task in a line."""
        spec, last = item.spec, item.attempt
        limit = view.state.fleet.retry_policy(spec.task_class).max_attempts
        agent = last.agent if last is not None else None
        tone = Tone.TITLE if spec.priority == 0 else Tone.PLAIN
        return Row(
            item.id,
            (
                Cell(item.label, Tone.ACCENT),
                Cell(spec.priority.name, tone),
                word_cell(task_word(item), pen),
                Cell(name(agent) if agent and item.phase is not TaskPhase.WAITING else "-"),
                Cell(name(spec.client or "-")),
                Cell(words.duration(span_ms(item, view.now_ms))),
                Cell(f"{len(item.attempts)}/{limit}"),
                Cell(words.money(item.cost_microusd) if item.cost_microusd else "-"),
                Cell(name(spec.pool or "-")),
                Cell(reason(item)),
            ),
        )

    def value(self, item: Task, key: str, view: View) -> Value:
        """What a task answers a filter or the sorting."""
        spec = item.spec
        if key.startswith("label."):
            return spec.labels.get(key.removeprefix("label."))
        last = item.attempt
        answers: dict[str, Value] = {
            "task": float(item.number),
            "state": task_word(item),
            "prio": spec.priority.name,
            "agent": last.agent if last is not None else None,
            "pool": spec.pool,
            "client": spec.client,
            "project": spec.project,
            "cost": float(item.cost_microusd),
            "tries": float(len(item.attempts)),
            "region": spec.regions,
            "class": spec.task_class.value,
            "cap": spec.needs,
            "by": item.by,
            "at": float(item.submitted_at_ms),
            "age": float(view.now_ms - item.submitted_at_ms),
            "time": float(span_ms(item, view.now_ms)),
            "reason": reason(item),
        }
        if key == "wait":
            waits = item.phase is TaskPhase.WAITING
            return float(view.now_ms - item.submitted_at_ms) if waits else None
        return answers.get(key)

    def selection(self) -> Selection:
        """The tasks, and the agents they are on."""
        chosen = self.selected_items
        agents = tuple(dict.fromkeys(t.attempt.agent for t in chosen if t.attempt is not None))
        text = "  ".join(f"{t.label} {task_word(t)} {reason(t)}".strip() for t in chosen)
        return Selection(tasks=tuple(t.id for t in chosen), agents=agents, text=text)


def _urgency(task: Task) -> tuple[int, int, int]:
    closed = task.phase.is_closed
    when = -(task.ended_at_ms or 0) if closed else task.submitted_at_ms
    rank = _URGENCY.get(task_word(task), 5)
    return (rank, 0 if closed else int(task.spec.priority), when)


def reason(task: Task) -> str:
    """Why it stands where it stands, in one line; empty when there is nothing to say."""
    if task.cancel_requested_by and not task.phase.is_closed:
        return short(f"cancel asked by {task.cancel_requested_by}")
    if task.phase is TaskPhase.WAITING and task.pending is not None:
        return waiting_words(task.pending)
    if task.reason:
        return short(task.reason)
    last = task.open_attempt
    if last is not None and last.lost is not None:
        return short(f"{last.lost.value} {last.detail.raw}".strip())
    if last is not None and last.decision.note:
        return short(last.decision.note)
    return ""


class TasksScreen(FleetScreen):
    """The view of key 3."""

    scopes: ClassVar[frozenset[Scope]] = frozenset()
    help_text = TasksPane.help_text

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield TasksPane(query=self.place.query)

    @on(FleetTable.RowOpened)
    def _open(self, event: FleetTable.RowOpened) -> None:
        if type(event) is FleetTable.RowOpened:
            self.console.go(Place("task", event.row_id))
