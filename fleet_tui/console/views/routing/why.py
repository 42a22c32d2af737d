"""Why a task was placed where it is, or why it still waits: a recorded decision in words.

Nothing is recomputed here: the table shows the rules, counts and scores recorded with the decision.
"""

from collections.abc import Sequence

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import (
    DetailLine,
    Pen,
    Section,
    Target,
    facts,
    grid,
    line,
    name,
    paragraph,
    short,
)
from fleet_tui.console.views.tasks.reasons import waiting_words
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.routing.decision import Candidate, Pending, Rejection, RoutingDecision
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.core.text import words


def why_sections(
    decision: RoutingDecision | None,
    pending: Pending | None,
    fleet: FleetSpec,
    pen: Pen,
    now_ms: int,
) -> list[Section]:
    """The decision, the table of rules, the scores, and what would help."""
    sections = [Section("", tuple(_verdict(decision, pending, pen, now_ms)))]
    if decision is None:
        return [*sections, *_help(pending)]
    title = f"Candidates: {decision.considered} considered, {decision.fitting} fit"
    sections.append(Section(title, _rule_table(decision)))
    if decision.candidates:
        sections.append(Section("Scores", tuple(_scores(decision))))
    sections.extend(_help(pending))
    sections.append(Section("Decided by", (_decided_by(decision, fleet),)))
    return sections


def needs_line(spec: TaskSpec, fleet: FleetSpec) -> DetailLine:
    """The task's requirements: ``capability gpu   residency eu-w1 (policy …)``."""
    pairs: list[tuple[str, str | Cell]] = []
    if spec.agent is not None:
        pairs.append(("pinned to", name(spec.agent)))
    if spec.pool is not None:
        pairs.append(("pool", name(spec.pool)))
    if spec.needs:
        pairs.append(("capability", safe_join(spec.needs)))
    if spec.regions:
        pairs.append(("region", safe_join(spec.regions)))
    pairs.extend(_residency(spec, fleet))
    if spec.client is not None:
        pairs.append(("client", name(spec.client)))
    if spec.project is not None:
        pairs.append(("project", name(spec.project)))
    pairs.append(("", "1 slot"))
    made = facts(pairs, gap="    ")
    return DetailLine((Cell(" "), Cell("needs   ", Tone.DIM), *made.cells[1:]), 9)


def safe_join(names: Sequence[str] | frozenset[str]) -> str:
    """Names in a stable order, or as given when the order is significant."""
    listed = sorted(names) if isinstance(names, frozenset) else names
    return short(" ".join(listed))


def _residency(spec: TaskSpec, fleet: FleetSpec) -> list[tuple[str, str | Cell]]:
    """The fleet's residency rules that apply to this task, with their lines in the file."""
    found: list[tuple[str, str | Cell]] = []
    for rule in fleet.residency:
        if rule.client not in (None, spec.client) or rule.project not in (None, spec.project):
            continue
        binds = [f"client={rule.client}"] if rule.client else []
        binds += [f"project={rule.project}"] if rule.project else []
        where = f", line {rule.line}" if rule.line else ""
        reason = f" (policy {' '.join(binds) or 'all work'}{where})"
        found.append(("residency", short("|".join(rule.regions) + reason)))
    return found


def _verdict(
    decision: RoutingDecision | None, pending: Pending | None, pen: Pen, now_ms: int
) -> list[DetailLine]:
    """The first line of the answer."""
    if decision is not None and decision.chosen is not None:
        chosen = name(decision.chosen)
        placed = [Cell("PLACED ", Tone.TITLE), Cell(f"{pen.glyphs.arrow} "),
                  Cell(chosen, Tone.ACCENT)]  # fmt: skip
        if decision.note:
            placed.append(Cell(f"   {short(decision.note)}"))
        return [line(*placed, target=Target(agent=decision.chosen))]
    if pending is None:
        return [paragraph("No decision yet.", Tone.DIM)]
    word, tone = ("HELD", Tone.WARN) if pending.code.is_held else ("WAITING", Tone.TITLE)
    since = words.age(pending.since_ms, now_ms)
    said = waiting_words(pending)
    return [line(Cell(word, tone), f" - {said}", Cell(f"   {since}", Tone.DIM))]


def _rule_table(decision: RoutingDecision) -> tuple[DetailLine, ...]:
    """One row per rule that removed agents."""
    if not decision.rejections:
        return (paragraph("No rule removed a candidate.", Tone.DIM),)
    rows: list[Sequence[Cell | str]] = [("rule", "removed", "left", "example")]
    for rejection in decision.rejections:
        left = Cell(str(rejection.left), Tone.WARN if rejection.left == 0 else Tone.PLAIN)
        rows.append((short(rejection.text), str(rejection.count), left, _example(rejection)))
    return grid(rows, right=frozenset({1, 2}), header=True)


def _example(rejection: Rejection) -> str:
    """One removed agent with the reason, or the names when there is none."""
    if rejection.example:
        return short(rejection.example)
    shown = ", ".join(rejection.agents[:3])
    more = rejection.count - min(3, len(rejection.agents))
    return short(f"{shown} and {more} more" if shown and more > 0 else shown)


def _scores(decision: RoutingDecision) -> list[DetailLine]:
    """The chosen one's sum, then the others that were scored, then the margin."""
    rows: list[Sequence[Cell | str]] = []
    targets: list[Target | None] = []
    for at, candidate in enumerate(decision.candidates):
        tone = Tone.ACCENT if at == 0 else Tone.PLAIN
        rows.append((Cell(name(candidate.agent), tone), f"{candidate.score:.2f}", _sum(candidate)))
        targets.append(Target(agent=candidate.agent))
    made = list(grid(rows, right=frozenset({1}), targets=targets))
    if decision.margin is not None:
        rival = name(decision.candidates[1].agent)
        made.append(facts([("runner-up", rival), ("margin", f"{decision.margin:.2f}")]))
    elif decision.fitting == 1:
        made.append(paragraph("No runner-up: it is the only eligible agent.", Tone.DIM))
    unseen = decision.fitting - len(decision.candidates)
    if unseen > 0:
        made.append(paragraph(f"{words.plural(unseen, 'more candidate')} scored lower.", Tone.DIM))
    return made


def _sum(candidate: Candidate) -> str:
    """``= load 0.40 + warm 0.22``; a term below zero is subtracted."""
    made = ""
    for term in candidate.terms:
        sign = "-" if term.value < 0 else "+"
        joint = ("= " if sign == "+" else "= -") if not made else f" {sign} "
        made += f"{joint}{term.name} {abs(term.value):.2f}"
    return short(made)


def _help(pending: Pending | None) -> list[Section]:
    if pending is None or not pending.remedy:
        return []
    return [Section("What would help", (paragraph(short(pending.remedy)),))]


def _decided_by(decision: RoutingDecision, fleet: FleetSpec) -> DetailLine:
    """The strategy and the version of the fleet file the decision was made with."""
    same = " (in force now)" if decision.policy and decision.policy == fleet.digest else ""
    pairs: list[tuple[str, str | Cell]] = [("strategy", decision.strategy.value)]
    if decision.pool is not None:
        pairs.append(("pool", name(decision.pool)))
    pairs.append(
        ("policy", name(decision.policy[:12]) + same if decision.policy else words.MISSING)
    )
    return facts(pairs)


def record_sections(
    record: DecisionRecord, task: Task | None, fleet: FleetSpec, pen: Pen, now_ms: int
) -> list[Section]:
    """The explanation of one line of the routing pane; the task's requirements are shown while it
    is remembered."""
    head = facts(
        [
            ("", Cell(f"t-{record.task_number}", Tone.ACCENT)),
            ("", record.priority.name),
            ("decided", pen.clock(record.at_ms)),
            ("attempt", str(record.attempt) if record.attempt else words.MISSING),
        ]
    )
    lines = [DetailLine(head.cells, 1, Target(task=record.task))]
    if task is not None:
        lines.append(needs_line(task.spec, fleet))
    return [
        Section("", tuple(lines)),
        *why_sections(record.decision, record.pending, fleet, pen, now_ms),
    ]
