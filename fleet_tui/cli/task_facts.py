"""What is known of a task, line by line: what holds it, its limits, and what a verdict rests on."""

from collections.abc import Iterator

from fleet_tui.cli.common import clock
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import deadlines_of
from fleet_tui.core.tasks.model import Attempt, Task, TaskPhase
from fleet_tui.core.tasks.quoting import checkpoint_words, known
from fleet_tui.core.tasks.retry_budget import retry_allowance
from fleet_tui.core.tasks.tries import started_tries
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line

MAX_DETAIL_CHARS = 200


def said_by_operators(task: Task) -> Iterator[str]:
    """What operators decided about it."""
    if task.hold is not None:
        why = f": {task.hold.reason}" if task.hold.reason else ""
        yield f"held by {task.hold.by} since {clock(task.hold.since_ms)}{why}"
        yield f"  fleet-tui release {task.label} lets it go; its deadlines go on"
    if task.expedited_at_ms is not None and task.phase is TaskPhase.WAITING:
        yield f"goes before all others since {clock(task.expedited_at_ms)}"
    if task.cancel_requested_by is not None and not task.phase.is_closed:
        yield f"cancel asked by {task.cancel_requested_by}"
    if task.asked is not None:
        yield "edited since it was submitted; its key stands for what was submitted"
    if task.dropped_by is not None:
        yield f"dropped by {task.dropped_by}: nothing more is needed"


def limits(state: FleetState, task: Task, now_ms: int) -> Iterator[str]:
    """Its deadlines with what is left of them, its tries and the fleet's retry budget. Nothing for
    a task that ended."""
    if task.phase.is_closed:
        return
    deadlines = deadlines_of(state, task)
    asked_ms = task.asked_at_ms
    attempt = task.open_attempt
    began_ms = attempt.started_at_ms if attempt is not None else None
    started = any(a.started_at_ms is not None for a in task.attempts if a.planned_at_ms >= asked_ms)
    told = (
        ("start within", deadlines.schedule_to_start_ms, None if started else asked_ms),
        ("a run at most", deadlines.start_to_close_ms, began_ms),
        ("a sign of life every", deadlines.heartbeat_ms, None),
        ("all within", deadlines.total_ms, asked_ms),
    )
    parts = [_limit(what, span, since, now_ms) for what, span, since in told if span is not None]
    whose = "its own" if task.spec.deadlines is not None else "the fleet's"
    yield f"deadlines: {'; '.join(parts) or 'none'} ({whose})"
    if task.is_retry:
        policy = state.fleet.retry_policy(task.spec.task_class)
        yield f"tries: {started_tries(task)} of {policy.max_attempts} so far"
        left = max(retry_allowance(state, now_ms), 0)
        budget = state.fleet.retry_budget
        yield (
            f"retry budget: the fleet may start {words.plural(left, 'retry', 'retries')} now "
            f"({budget.percent}% of the last minute's first starts, at least {budget.floor})"
        )


def _limit(what: str, span_ms: int, since_ms: int | None, now_ms: int) -> str:
    text = f"{what} {words.duration(span_ms)}"
    if since_ms is None:
        return text
    left_ms = span_ms - words.elapsed_ms(since_ms, now_ms)
    return f"{text}, {words.duration(left_ms)} left" if left_ms > 0 else f"{text}, over"


def checkpoint_of(task: Task) -> Iterator[str]:
    """Where a resumable task would go on."""
    found = task.checkpoint
    if found is not None:
        on = "the next run goes on from there" if task.spec.task_class is _RESUMABLE else "kept"
        yield f"checkpoint: {checkpoint_words(found)}; {on}"


_RESUMABLE = TaskClass.RESUMABLE


def evidence(task: Task, now_ms: int) -> Iterator[str]:
    """What is known of each attempt, when it was learned and who said so: a verdict rests on it."""
    yield f"why: {safe_line(task.reason or 'nobody knows whether it ran', MAX_DETAIL_CHARS)}"
    if not task.attempts:
        yield "it was never placed"
    for attempt in task.attempts:
        yield f"attempt {attempt.number} on {attempt.agent}: {attempt.phase}"
        yield from (f"  {line}" for line in _known(attempt, now_ms))
    if task.spec.task_class is TaskClass.ONCE:
        yield "class once: it must not run twice"


def _known(attempt: Attempt, now_ms: int) -> Iterator[str]:
    for each in known(attempt, now_ms):
        at = f"{clock(each.at_ms)} " if each.at_ms is not None else ""
        said = f": {safe_line(each.said, MAX_DETAIL_CHARS)}" if each.said else ""
        yield f"{at}{each.text}{said}"
    if attempt.answer.text:
        late = "too late to count, " if attempt.late else ""
        yield f"answer ({late}{words.size(attempt.answer.size_bytes)}): " + safe_line(
            attempt.answer.text, MAX_DETAIL_CHARS
        )
