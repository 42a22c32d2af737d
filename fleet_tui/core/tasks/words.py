"""The word for a task's state and the sort order of tasks, the same everywhere."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import assert_never

from fleet_tui.core.fleet import Priority
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase


class TaskWord(StrEnum):
    """The state shown for a task: its phase, or a state of its open run or its wait."""

    NEEDS_OPERATOR = "needs-operator"
    UNKNOWN = "unknown"
    HELD = "held"
    """Waits for an operator: held, or no agent can take it."""
    CANCELLING = "cancelling"
    RUNNING = "running"
    PLANNED = "planned"
    ACTIVE = "active"
    """Its run has just ended, and the consequence is not decided yet."""
    WAITING = "waiting"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"

    @property
    def order(self) -> int:
        """Its place in a list: tasks that wait for an operator first, then running, queued, and
        ended ones."""
        match self:
            case TaskWord.NEEDS_OPERATOR:
                return 0
            case TaskWord.UNKNOWN:
                return 1
            case TaskWord.HELD:
                return 2
            case TaskWord.CANCELLING:
                return 3
            case TaskWord.RUNNING | TaskWord.PLANNED | TaskWord.ACTIVE:
                return 4
            case TaskWord.WAITING:
                return 5
            case TaskWord.FAILED | TaskWord.EXPIRED:
                return 6
            case TaskWord.CANCELLED:
                return 7
            case TaskWord.SUCCEEDED:
                return 8
            case _:
                assert_never(self)

    @property
    def is_problem(self) -> bool:
        """Whether it needs an operator's attention."""
        match self:
            case (
                TaskWord.NEEDS_OPERATOR
                | TaskWord.UNKNOWN
                | TaskWord.HELD
                | TaskWord.FAILED
                | TaskWord.EXPIRED
            ):
                return True
            case (
                TaskWord.CANCELLING
                | TaskWord.RUNNING
                | TaskWord.PLANNED
                | TaskWord.ACTIVE
                | TaskWord.WAITING
                | TaskWord.CANCELLED
                | TaskWord.SUCCEEDED
            ):
                return False
            case _:
                assert_never(self)


def task_word(task: Task) -> TaskWord:
    """The word for a task."""
    match task.phase:
        case TaskPhase.WAITING:
            return TaskWord.HELD if is_held(task) else TaskWord.WAITING
        case TaskPhase.ACTIVE:
            run = task.open_attempt
            return TaskWord.ACTIVE if run is None else _word_of_run(run.phase)
        case TaskPhase.NEEDS_OPERATOR:
            return TaskWord.NEEDS_OPERATOR
        case TaskPhase.SUCCEEDED:
            return TaskWord.SUCCEEDED
        case TaskPhase.FAILED:
            return TaskWord.FAILED
        case TaskPhase.CANCELLED:
            return TaskWord.CANCELLED
        case TaskPhase.EXPIRED:
            return TaskWord.EXPIRED
        case _:
            assert_never(task.phase)


def is_held(task: Task) -> bool:
    """Whether a waiting task waits for an operator and not for a free agent."""
    if task.phase is not TaskPhase.WAITING:
        return False
    return task.hold is not None or (task.pending is not None and task.pending.code.is_held)


def worst_first(task: Task) -> tuple[int, int, str]:
    """The key that sorts tasks: what waits for a person first; equals by priority, then the oldest
    first, of the ended the newest. Those of one instant in the order of their ids."""
    rank = task_word(task).order * len(Priority)
    if task.phase.is_closed:
        return (rank, -(task.ended_at_ms or 0), task.id)
    return (rank + task.spec.priority, task.submitted_at_ms, task.id)


def listed(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks in that order, lazily: of a hundred thousand in the queue a list shows two
    thousand, and ranks that nobody reaches are not sorted."""
    ranks: dict[int, list[Task]] = {}
    for task in tasks:
        ranks.setdefault(worst_first(task)[0], []).append(task)
    for rank in sorted(ranks):
        yield from sorted(ranks[rank], key=worst_first)


def _word_of_run(phase: AttemptPhase) -> TaskWord:
    match phase:
        case AttemptPhase.PLANNED:
            return TaskWord.PLANNED
        case AttemptPhase.RUNNING:
            return TaskWord.RUNNING
        case AttemptPhase.UNKNOWN:
            return TaskWord.UNKNOWN
        case AttemptPhase.CANCELLING:
            return TaskWord.CANCELLING
        case (
            AttemptPhase.NOT_STARTED
            | AttemptPhase.FENCED
            | AttemptPhase.DIED
            | AttemptPhase.GIVEN_UP
            | AttemptPhase.SUCCEEDED
            | AttemptPhase.FAILED
            | AttemptPhase.CANCELLED
            | AttemptPhase.TIMED_OUT
        ):
            return TaskWord.ACTIVE
        case _:
            assert_never(phase)
