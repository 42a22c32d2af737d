"""Verbs for dead letters."""

from collections import Counter
from collections.abc import Iterable, Sequence

from fleet_tui.core.plans import impact_words
from fleet_tui.core.tasks.commands import Drop, Requeue
from fleet_tui.core.tasks.dead_letters import failure_kind, not_edited
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.chapters import Chapter
from fleet_tui.verbs.tasks import ids, payload, tasks_of
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, TaskVerb, Verb

MAX_KINDS = 6
"""Kinds of failure or clients that a plan names; it counts the others."""

MAX_KIND_CHARS = 60

MAX_LABELS = 3
"""Tasks that are named."""


def _ended(planned: Planned) -> list[PlanFact]:
    """How many tasks, of which clients, and how they ended."""
    tasks = tasks_of(planned)
    if len(tasks) == 1:
        return [_one(tasks[0])]
    clients = _counted(safe_line(task.spec.client or "no client", 64) for task in tasks)
    kinds = _counted(
        safe_line(failure_kind(task, planned.state.fleet), MAX_KIND_CHARS) for task in tasks
    )
    labels = ", ".join(task.label for task in tasks[:MAX_LABELS])
    more = len(tasks) - MAX_LABELS
    return [
        PlanFact(f"{labels} and {words.grouped(more)} more" if more > 0 else labels, "tasks"),
        PlanFact(", ".join(clients), "clients"),
        *(PlanFact(kind, "" if at else "ended") for at, kind in enumerate(kinds)),
    ]


def _one(task: Task) -> PlanFact:
    why = safe_line(task.reason or "no reason recorded")
    return PlanFact(f"ended as {task.phase.value}: {why}", task.label, payload(task))


def _counted(names: Iterable[str]) -> list[str]:
    """``12 acme``, ``3 globex``, ``2 others``: the most frequent first."""
    counts = Counter(names)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{words.grouped(n)} {each}" for each, n in ordered[:MAX_KINDS]]
    more = sum(n for _, n in ordered[MAX_KINDS:])
    return [*shown, f"{words.grouped(more)} others"] if more else shown


def _requeue_facts(planned: Planned) -> Sequence[PlanFact]:
    count, rate = planned.plan.impact.tasks, planned.said.per_minute
    facts = _ended(planned)
    if count > 1 and rate is None:
        facts.append(PlanFact("all may be placed at once", "pace"))
    elif count > 1 and rate is not None:
        last = words.about((count - 1) * 60_000 / rate)
        facts.append(
            PlanFact(f"{words.grouped(rate)} per minute; the last one is placed in {last}", "pace")
        )
    again = [PlanFact(each, is_loss=True) for each in impact_words(planned.plan.impact)]
    return [
        *facts,
        PlanFact("Each task restarts from the beginning or from its last checkpoint."),
        *again,
    ]


def _drop_facts(planned: Planned) -> Sequence[PlanFact]:
    it = "It" if planned.plan.impact.tasks == 1 else "They"
    kept = "will not run again; the ledger keeps the request and every attempt."
    return [*_ended(planned), PlanFact(f"{it} {kept}", is_loss=True)]


REQUEUE = Verb(
    name="requeue",
    key="Y",
    noun=Noun.TASK,
    chapter=Chapter.DEAD_LETTERS,
    title="requeue failed tasks",
    summary="Requeue failed tasks.",
    help="Runs failed, expired or cancelled tasks again, all at once or at a rate per minute.",
    done="requeued",
    label="requeue",
    footer=52,
    command=lambda names, said: Requeue(
        tasks=ids(names), per_minute=said.per_minute, reason=said.reason
    ),
    options=(Option.RATE, Option.REASON),
    asks=lambda count: (Option.RATE, Option.REASON) if count > 1 else (),
    facts=_requeue_facts,
    of_dead_letters=True,
    asks_when_named=True,
)

DROP = Verb(
    name="drop",
    key="W",
    noun=Noun.TASK,
    chapter=Chapter.DEAD_LETTERS,
    title="drop dead letters",
    summary="Dismiss failed tasks (reason required).",
    help=(
        "Dismisses failed tasks, so they no longer need attention. Asks for a reason and "
        "records it."
    ),
    done="dropped",
    label="drop",
    footer=51,
    command=lambda names, said: Drop(tasks=ids(names), reason=said.reason),
    options=(Option.NEEDED_REASON,),
    asks=lambda count: (Option.NEEDED_REASON,),
    facts=_drop_facts,
    of_dead_letters=True,
    asks_when_named=True,
)

EDIT = TaskVerb(
    name="edit",
    key="M",
    noun=Noun.TASK,
    chapter=Chapter.DEAD_LETTERS,
    title="edit the dead letter",
    summary="Edit a failed task before requeueing it.",
    help="Edits a failed task in a form and starts nothing; requeue it afterwards.",
    label="edit",
    footer=51,
    has_form=True,
    not_for=not_edited,
    takes_one=True,
)

DEAD_LETTER_WORDS = (REQUEUE, EDIT, DROP)
