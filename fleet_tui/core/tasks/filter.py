"""Tasks in filters: the keys, their values, and the text that words are searched in."""

from fleet_tui.core.fleet import Priority, TaskClass
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.words import TaskWord, task_word
from fleet_tui.core.text.filters.nodes import Value
from fleet_tui.core.text.words import elapsed_ms

TASK_KEYS = frozenset(
    {"task", "state", "prio", "agent", "pool", "client", "project", "wait", "age", "cost",
     "tries", "region", "class", "cap", "by", "label.*"}
)  # fmt: skip


TASK_WORDS: dict[str, tuple[str, ...]] = {
    "state": tuple(word.value for word in TaskWord),
    "prio": tuple(priority.name for priority in Priority),
    "class": tuple(each.value for each in TaskClass),
}
"""Keys with a closed set of values, and these values."""


def task_value(task: Task, key: str, now_ms: int) -> Value:
    """The task's value for one of TASK_KEYS; None where it has none."""
    spec = task.spec
    match key:
        case "task":
            return task.label
        case "state":
            return task_word(task).value
        case "prio":
            return spec.priority.name
        case "agent":
            return task.attempt.agent if task.attempt is not None else spec.agent
        case "pool":
            return spec.pool
        case "client":
            return spec.client
        case "project":
            return spec.project
        case "wait":
            waits = task.phase is TaskPhase.WAITING
            return float(elapsed_ms(task.submitted_at_ms, now_ms)) if waits else None
        case "age":
            return float(elapsed_ms(task.submitted_at_ms, now_ms))
        case "at":
            return float(task.submitted_at_ms)
        case "cost":
            return float(task.cost_microusd)
        case "tries":
            return float(len(task.attempts))
        case "region":
            return spec.regions
        case "class":
            return spec.task_class.value
        case "cap":
            return spec.needs
        case "by":
            return task.by
        case _:  # a label: the grammar lets no other key through
            return spec.labels.get(key.removeprefix("label."))


def task_text(task: Task) -> str:
    """The text in which the words of a filter are searched: a task's names, the reason for its
    state, and its payload."""
    spec = task.spec
    agent = task.attempt.agent if task.attempt is not None else ""
    known = (task.label, task_word(task), agent, spec.client or "", spec.pool or "", task.reason)
    hold = (task.hold.by, task.hold.reason) if task.hold is not None else ()
    waits = (task.pending.code.value, task.pending.detail) if task.pending is not None else ()
    return " ".join((*known, *hold, *waits, spec.payload.raw))
