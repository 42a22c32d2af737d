"""Whether a task may be tried again: what its class, its agent's release and its retry policy
allow."""

from typing import assert_never

from fleet_tui.core.agents.vitals import Limit
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import Attempt, Task


def may_run_again(task: Task) -> bool:
    """Whether the class allows a second run once the first is certainly over. Resumable work
    continues from a checkpoint; without one it needs a verdict."""
    match task.spec.task_class:
        case TaskClass.IDEMPOTENT:
            return True
        case TaskClass.RESUMABLE:
            return task.checkpoint is not None
        case TaskClass.ONCE:
            return False
        case _:
            assert_never(task.spec.task_class)


def may_run_twice(task: Task) -> bool:
    """Whether the class allows a second run while the first may still be running."""
    return task.spec.task_class is TaskClass.IDEMPOTENT


def _may_start_late(state: FleetState, attempt: Attempt) -> bool:
    """Whether an unanswered start may arrive at any time, because its agent's release has no fence.
    Such work is never given to another agent without a verdict."""
    agent = state.agents.get(attempt.agent)
    return attempt.started_at_ms is None and agent is not None and Limit.NO_FENCE in agent.limits


def may_move(state: FleetState, task: Task, attempt: Attempt) -> bool:
    """Whether it may be given to another agent while the run that was begun may still be
    running."""
    return may_run_twice(task) and not _may_start_late(state, attempt)


def started_tries(task: Task) -> int:
    """Attempts since it was submitted or requeued that count against ``max_attempts``: all that may
    have started, including the open one."""
    since = task.asked_at_ms
    return sum(not a.phase.never_started and a.planned_at_ms >= since for a in task.attempts)


def tries_left(state: FleetState, task: Task) -> bool:
    """Whether its retry policy allows another start."""
    return started_tries(task) < state.fleet.retry_policy(task.spec.task_class).max_attempts
