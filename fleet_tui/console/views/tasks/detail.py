"""One task for operators: its state, the reason, its attempts, its answer."""

from collections.abc import Iterator, Sequence

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import (
    DetailLine,
    Pen,
    Section,
    Target,
    attempt_word,
    facts,
    grid,
    line,
    name,
    paragraph,
    short,
)
from fleet_tui.console.text.looks import attempt_cell, task_cell, task_look
from fleet_tui.console.text.story import story_line
from fleet_tui.console.views.routing.why import needs_line, why_sections
from fleet_tui.console.views.tasks.evidence import evidence, limits
from fleet_tui.console.views.tasks.reasons import held_words
from fleet_tui.core.agents.troubles import waits_for
from fleet_tui.core.fleet import FleetSpec, TaskClass
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.tasks.quoting import checkpoint_words, reason_of
from fleet_tui.core.tasks.verdicts import MAYBE_TWICE, may_be_judged
from fleet_tui.core.tasks.words import task_word
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import invisible_count, safe_text
from fleet_tui.core.text.redaction import (
    named_without_secrets,
    shown_names,
    without_patterns,
    without_secrets,
)
from fleet_tui.core.text.untrusted import Untrusted

MAX_ANSWER_LINES = 2_000
MAX_PAYLOAD_LINES = 200
MAX_PAYLOAD_CHARS = 100_000
MAX_STORY_EVENTS = 500


def task_sections(
    task: Task,
    story: Sequence[Recorded] | None,
    state: FleetState,
    pen: Pen,
    now_ms: int,
) -> list[Section]:
    """Everything about a task, the most important first. ``story`` is None while it is fetched."""
    fleet = state.fleet
    sections = [Section("", (head_line(task, fleet, pen, now_ms), needs_line(task.spec, fleet)))]
    if may_be_judged(task):
        asked = task.phase is TaskPhase.NEEDS_OPERATOR
        needed = "Your verdict is needed" if pen.can_act else "A verdict was needed"
        title = needed if asked else "Outcome unknown"
        rows = tuple(evidence(task, pen, now_ms))
        if pen.can_act:
            choices = " / ".join(each.text for each in Verdict)
            choice = line(Cell(pen.keyed("{resolve}"), Tone.KEY), f" {choices}")
            rows = (*rows, choice)
        sections.append(Section(title, rows))
    elif task.reason:
        tone = task_look(task_word(task)).tone
        sections.append(Section("", (paragraph(short(task.reason), tone),)))
    if told := notes(state, task, now_ms, pen.offset_minutes):
        phase = task_word(task)
        odd = tuple(paragraph(f"{phase.capitalize()}, {note}.", Tone.WARN) for note in told)
        sections.append(Section("", odd))
    if said := list(_operators(task, pen, now_ms)):
        sections.append(Section("", tuple(said)))
    sections.extend(limits(state, task, now_ms))
    if task.phase is TaskPhase.WAITING:
        sections.extend(why_of(task, None, state, pen, now_ms))
    sections.extend(_attempts(task, pen, now_ms))
    sections.extend(answer_sections(task))
    if task.phase is not TaskPhase.WAITING and task.attempt is not None:
        sections.extend(_titled_why(task, state, pen, now_ms))
    sections.append(_payload(task))
    sections.append(_story(story, state, pen))
    sections.append(_identity(task, pen))
    return sections


def _operators(task: Task, pen: Pen, now_ms: int) -> Iterator[DetailLine]:
    """Operators' decisions about it other than a verdict, and the next possible steps."""
    if task.duplicate_possible:
        yield paragraph(f"{MAYBE_TWICE[:1].upper()}{MAYBE_TWICE[1:]}.", Tone.WARN)
    if task.hold is not None:
        since = f", for {words.age(task.hold.since_ms, now_ms)}. "
        release = (Cell(pen.keyed("{release}"), Tone.KEY), " releases") if pen.can_act else ()
        yield line(Cell(held_words(task.hold), Tone.WARN), since, *release)
    if task.expedited_at_ms is not None:
        yield line(Cell(pen.clock(task.expedited_at_ms), Tone.DIM), " expedited")
    if task.asked is not None:
        yield paragraph("Edited since it was submitted; its key still refers to the original.")
    if task.dropped_by is not None:
        yield paragraph(f"Dropped by {name(task.dropped_by)}: dismissed.", Tone.DIM)
    is_dead = task.phase.has_failed and task.dropped_by is None
    if is_dead and pen.can_act:
        requeue, edit, drop = (
            Cell(pen.keyed(action), Tone.KEY) for action in ("{requeue}", "{edit}", "{drop}")
        )
        yield line(requeue, " requeues it, ", edit, " edits, ", drop, " drops it")
    if task.checkpoint is not None:
        goes_on = task.spec.task_class is TaskClass.RESUMABLE and not task.phase.is_closed
        then = ": the next run resumes from there" if goes_on else ""
        yield line(Cell("checkpoint ", Tone.DIM), f"{checkpoint_words(task.checkpoint)}{then}")


def head_line(task: Task, fleet: FleetSpec, pen: Pen, now_ms: int) -> DetailLine:
    """``t-48205  P2  globex  ▲ held 1m12s   attempts 0/3   $0.03``."""
    word = task_word(task)
    span = words.duration(span_ms(task, now_ms))
    limit = fleet.retry_policy(task.spec.task_class).max_attempts
    cells = [Cell(task.label, Tone.TITLE), Cell(f"  {task.spec.priority.name}")]
    if task.spec.client is not None:
        cells.append(Cell(f"  {name(task.spec.client)}"))
    sign, tone = task_cell(pen.glyphs, word)
    cells.append(Cell(f"  {sign}", tone))
    cells.append(Cell(f" {span}"))
    cells.append(Cell("   attempts ", Tone.DIM))
    cells.append(Cell(f"{len(task.attempts)}/{limit}"))
    cells.append(Cell("   class ", Tone.DIM))
    cells.append(Cell(task.spec.task_class.value))
    if task.cost_microusd or task.has_unknown_cost:
        paid = words.cost(task.cost_microusd, is_unknown=task.has_unknown_cost)
        cells.append(Cell(f"   {paid}"))
    if task.cancel_requested_by:
        cells.append(Cell(f"   cancel requested by {name(task.cancel_requested_by)}", Tone.BUSY))
    return line(*cells)


def span_ms(task: Task, now_ms: int) -> int:
    """How long it has waited or run; once it ended, its total time since submission."""
    if task.ended_at_ms is not None:
        return words.elapsed_ms(task.submitted_at_ms, task.ended_at_ms)
    last = task.open_attempt
    if last is not None:
        return words.elapsed_ms(last.started_at_ms or last.planned_at_ms, now_ms)
    since = task.pending.since_ms if task.pending is not None else task.submitted_at_ms
    return words.elapsed_ms(since, now_ms)


def decision_of(task: Task, attempt: int | None) -> RoutingDecision | None:
    """The decision to show: of that attempt, else of the wait, else of the newest attempt."""
    if attempt is not None:
        return next((a.decision for a in task.attempts if a.number == attempt), None)
    if task.phase is TaskPhase.WAITING and task.pending is not None:
        return task.pending.decision
    return task.attempt.decision if task.attempt is not None else None


def why_of(
    task: Task, attempt: int | None, state: FleetState, pen: Pen, now_ms: int
) -> list[Section]:
    """Why this task waits and what is wrong now with the agents that it waits for, or why an
    attempt was placed where it is."""
    waits = attempt is None and task.phase is TaskPhase.WAITING
    pending = task.pending if waits else None
    first, *rest = why_sections(decision_of(task, attempt), pending, state.fleet, pen, now_ms)
    return [first, *(_waits_for(state, task) if waits else ()), *rest]


def _waits_for(state: FleetState, task: Task) -> Iterator[Section]:
    """``enter`` opens the agent."""
    found = waits_for(state, task)
    if not found.told:
        return
    lines: list[DetailLine] = []
    for each in found.told:
        said = f": {short(each.said)}" if each.said else ""
        agent, trouble = Cell(name(each.agent), Tone.ACCENT), Cell(each.trouble, Tone.WARN)
        lines.append(line(agent, "  ", trouble, said, target=Target(agent=each.agent)))
        lines.append(line(Cell(each.cure, Tone.DIM), indent=3))
    if found.more:
        lines.append(paragraph("and others", Tone.DIM))
    yield Section("What is wrong now with agents that would fit", tuple(lines))


def _titled_why(task: Task, state: FleetState, pen: Pen, now_ms: int) -> list[Section]:
    assert task.attempt is not None
    sections = why_of(task, task.attempt.number, state, pen, now_ms)
    return [Section(f"Why (attempt {task.attempt.number})", sections[0].lines), *sections[1:]]


def _attempts(task: Task, pen: Pen, now_ms: int) -> list[Section]:
    """A row per attempt; ``enter`` opens its agent."""
    if not task.attempts:
        return []
    rows: list[Sequence[Cell | str]] = [
        ("#", "agent", "phase", "began", "took", "tokens", "cost", "what happened")
    ]
    targets: list[Target | None] = [None]
    for attempt in task.attempts:
        rows.append(_attempt_row(attempt, pen, now_ms))
        targets.append(Target(agent=attempt.agent))
    lines = grid(rows, right=frozenset({0, 4, 5, 6}), header=True, targets=targets)
    return [Section(f"Attempts - {len(task.attempts)}", lines)]


def _attempt_row(attempt: Attempt, pen: Pen, now_ms: int) -> Sequence[Cell | str]:
    began = attempt.started_at_ms or attempt.planned_at_ms
    ended = attempt.ended_at_ms if attempt.ended_at_ms is not None else now_ms
    usage = attempt.usage
    said = [attempt.lost.text] if attempt.lost is not None and not attempt.reason else []
    said += [short(reason_of(attempt))] if attempt.reason else []
    said += [short(attempt.detail)] if attempt.detail else []
    said += ["the agent resumed it by itself"] if attempt.resumed_by_agent else []
    said += [f"stop asked: {attempt.cancel_cause.value}"] if attempt.cancel_cause else []
    said += ["it reported no number of tokens or no amount of money"] if usage.unusable else []
    word = attempt_word(attempt)
    return (
        str(attempt.number),
        name(attempt.agent),
        attempt_cell(pen.glyphs, attempt.phase, word),
        pen.clock(began),
        words.duration(words.elapsed_ms(began, ended)),
        words.count(usage.total_tokens) if usage.total_tokens else words.MISSING,
        words.cost(attempt.cost_microusd, is_unknown=usage.unusable),
        short("; ".join(said)) if said else "",
    )


def answered(task: Task) -> Attempt | None:
    """The newest attempt with an answer."""
    return next((a for a in reversed(task.attempts) if a.answer.text or a.answer.lost), None)


def answer_sections(task: Task) -> list[Section]:
    """The agent's answer, line by line, through the firewall."""
    attempt = answered(task)
    if attempt is None:
        return []
    answer = attempt.answer
    size = words.size(answer.size_bytes or len(answer.text.raw))
    title = f"Answer - attempt {attempt.number}, {size}"
    if attempt.late and attempt.phase is AttemptPhase.GIVEN_UP:
        title += ", too late, not counted"
    lines = _remote_lines(answer.text, MAX_ANSWER_LINES)
    if answer.lost:
        lines = (paragraph(f"{short(answer.loss)}.".capitalize(), Tone.WARN),)
    if answer.truncated:
        cut = f"Cut here: the whole answer has {size}, sha256 {name(answer.sha256)}."
        lines = (*lines, paragraph(cut, Tone.WARN))
    return [Section(title, lines)]


def _payload(task: Task) -> Section:
    title, whole = f"Asked by {name(task.by)}", task.spec.payload
    lines = _remote_lines(without_secrets(whole, MAX_PAYLOAD_CHARS), MAX_PAYLOAD_LINES)
    if (more := len(whole.raw) - MAX_PAYLOAD_CHARS) > 0:
        left_out = f"{words.grouped(more)} more characters are not shown."
        lines = (*lines, paragraph(left_out, Tone.DIM))
    return Section(title, lines)


def _remote_lines(text: Untrusted, max_lines: int) -> tuple[DetailLine, ...]:
    lines = tuple(line(shown) for shown in safe_text(text, max_lines))
    if hidden := invisible_count(text):
        warning = f"{words.plural(hidden, 'invisible or control character')} made visible above."
        return (*lines, paragraph(warning, Tone.WARN))
    return lines


def _story(story: Sequence[Recorded] | None, state: FleetState, pen: Pen) -> Section:
    """The task's events, newest last; the first ones are left out when there are too many."""
    if story is None:
        return Section("Story", (paragraph("Reading the ledger…", Tone.DIM),))
    shown = story[-MAX_STORY_EVENTS:]
    lines = [told for r in shown if (told := story_line(r, state, pen)) is not None]
    if len(story) > len(shown):
        left_out = f"{words.plural(len(story) - len(shown), 'earlier event')} not shown."
        lines.insert(0, paragraph(left_out, Tone.DIM))
    if not lines:
        lines = [paragraph("The ledger has no events of this task.", Tone.DIM)]
    return Section(f"Story - {words.plural(len(story), 'event')}", tuple(lines))


def _identity(task: Task, pen: Pen) -> Section:
    """The names other programs use for this task."""
    named = sorted(task.spec.labels.items())
    shown = shown_names((key for key, _ in named), lambda key: without_patterns(key)[0])
    labels = " ".join(
        f"{key}={named_without_secrets(*pair)}" for key, pair in zip(shown, named, strict=True)
    )
    pairs: list[tuple[str, str | Cell]] = [
        ("id", name(task.id)),
        ("key", name(task.key)),
        ("submitted", words.date_clock(task.submitted_at_ms, pen.offset_minutes)),
        ("payload sha256", name(task.payload_sha256[:16])),
    ]
    if labels:
        pairs.append(("labels", short(labels)))
    return Section("Identity", (facts(pairs),))
