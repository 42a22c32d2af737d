"""What is known about a task's runs, with instants and sources, and the limits that end its wait.

It is the basis for a verdict when the outcome cannot be determined otherwise.
"""

from collections.abc import Iterator

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import (
    DetailLine,
    Pen,
    Section,
    Target,
    facts,
    line,
    name,
    paragraph,
    short,
)
from fleet_tui.console.text.looks import attempt_cell
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import deadlines_of
from fleet_tui.core.tasks.model import Attempt, Task
from fleet_tui.core.tasks.quoting import known
from fleet_tui.core.tasks.retry_budget import retry_allowance
from fleet_tui.core.tasks.tries import started_tries
from fleet_tui.core.text import words

MAX_ATTEMPTS = 4
"""Attempts whose evidence is shown, the newest first; the table of attempts has all."""

_TIME_COLUMN = 10


def evidence(task: Task, pen: Pen, now_ms: int) -> list[DetailLine]:
    """Why it needs a verdict, then the latest evidence of each attempt."""
    lines = [paragraph(short(task.reason or "whether it ran is unknown"), Tone.WARN)]
    for attempt in list(reversed(task.attempts))[:MAX_ATTEMPTS]:
        lines.append(_head(attempt, pen))
        lines.extend(_known(attempt, pen, now_ms))
    if not task.attempts:
        lines.append(paragraph("It was never placed."))
    if task.spec.task_class is TaskClass.ONCE:
        lines.append(paragraph("class once: it must not run twice.", Tone.DIM))
    return lines


def _head(attempt: Attempt, pen: Pen) -> DetailLine:
    pairs: list[tuple[str, str | Cell]] = [
        ("attempt", str(attempt.number)),
        ("on", Cell(name(attempt.agent), Tone.ACCENT)),
        ("", attempt_cell(pen.glyphs, attempt.phase)),
    ]
    return facts(pairs)._replace(target=Target(agent=attempt.agent))


def _known(attempt: Attempt, pen: Pen, now_ms: int) -> Iterator[DetailLine]:
    """The facts about an attempt, with their instants and sources."""

    def at(when_ms: int | None, text: str, tone: Tone) -> DetailLine:
        cells = Cell(f"{pen.clock(when_ms):<9}", Tone.DIM), Cell(text, tone)
        return line(*cells, indent=_TIME_COLUMN)

    for each in known(attempt, now_ms):
        said = f": {short(each.said)}" if each.said else ""
        yield at(each.at_ms, f"{each.text}{said}", Tone.WARN if each.is_news else Tone.PLAIN)
    if attempt.late and attempt.answer.text:
        text = "its answer came too late and was not counted; it is shown under Answer"
        yield at(None, text, Tone.ACCENT)


def limits(state: FleetState, task: Task, now_ms: int) -> list[Section]:
    """Its deadlines with the remaining time, and the remaining tries; empty for a task that
    ended."""
    if task.phase.is_closed:
        return []
    return [*_deadlines(state, task, now_ms), *_tries(state, task, now_ms)]


def _deadlines(state: FleetState, task: Task, now_ms: int) -> Iterator[Section]:
    deadlines = deadlines_of(state, task)
    attempt = task.open_attempt
    asked_ms = task.asked_at_ms
    began_ms = attempt.started_at_ms if attempt is not None else None
    started = any(a.started_at_ms is not None for a in task.attempts if a.planned_at_ms >= asked_ms)
    pairs: list[tuple[str, str | Cell]] = []

    def limit(label: str, span_ms: int | None, since_ms: int | None) -> None:
        if span_ms is None:
            return
        text = words.duration(span_ms)
        if since_ms is None:
            pairs.append((label, text))
            return
        left_ms = span_ms - words.elapsed_ms(since_ms, now_ms)
        tone = Tone.WARN if left_ms < span_ms // 10 else Tone.PLAIN
        left = f"{words.duration(left_ms)} left" if left_ms > 0 else "over"
        pairs.append((label, Cell(f"{text}, {left}", tone)))

    limit("start within", deadlines.schedule_to_start_ms, None if started else asked_ms)
    limit("a run at most", deadlines.start_to_close_ms, began_ms)
    limit("sign of life every", deadlines.heartbeat_ms, None)
    limit("all within", deadlines.total_ms, asked_ms)
    if pairs:
        whose = "its own" if task.spec.deadlines is not None else "the fleet's"
        yield Section(f"Deadlines, {whose}", (facts(pairs),))


def _tries(state: FleetState, task: Task, now_ms: int) -> Iterator[Section]:
    """For a task that was tried before: its own tries, and the rest of the fleet's budget."""
    if not task.is_retry:
        return
    most = state.fleet.retry_policy(task.spec.task_class).max_attempts
    left = words.plural(max(retry_allowance(state, now_ms), 0), "retry", "retries")
    budget = state.fleet.retry_budget
    yield Section(
        "Tries",
        (
            paragraph(f"{started_tries(task)} of {most} so far"),
            paragraph(
                f"The fleet may start {left} now: {budget.percent}% of the last minute's first"
                f" starts, at least {budget.floor}."
            ),
        ),
    )
