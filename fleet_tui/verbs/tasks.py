"""Verbs for open tasks."""

from collections.abc import Sequence
from typing import assert_never

from fleet_tui.core.ids import TaskId
from fleet_tui.core.plans import Stopping, impact_words, stopped_by_cancel, subjects
from fleet_tui.core.tasks.commands import Cancel, Expedite, Hold, Release, SetPriority
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.verdicts import not_judged
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.chapters import Chapter
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, TaskVerb, Verb, Words

MAX_PAYLOAD_CHARS = 60

MAX_TOLD = 20
"""Tasks that a plan lists one by one; it counts the others."""


def ids(names: Sequence[str]) -> tuple[TaskId, ...]:
    """The subjects, as a command names them."""
    return tuple(map(TaskId, names))


def tasks_of(planned: Planned) -> list[Task]:
    """The tasks that are changed."""
    known = (planned.state.task(each) for each in ids(subjects(planned.plan.command)))
    return [task for task in known if task is not None]


def payload(task: Task) -> str:
    """The beginning of its text, safe to show."""
    return safe_line(task.spec.shown, MAX_PAYLOAD_CHARS)


def _hold_facts(planned: Planned) -> Sequence[PlanFact]:
    waits = "it waits" if planned.plan.impact.tasks == 1 else "they wait"
    return [PlanFact(f"Until released, {waits}.")]


def _cancel_facts(planned: Planned) -> Sequence[PlanFact]:
    tasks = tasks_of(planned)
    facts = [_cancelled(task, planned.now_ms) for task in tasks[:MAX_TOLD]]
    if len(tasks) > MAX_TOLD:
        facts.append(PlanFact(f"and {words.grouped(len(tasks) - MAX_TOLD)} more"))
    if len(tasks) > 1:
        facts += [PlanFact(each, is_loss=True) for each in impact_words(planned.plan.impact)]
    return facts


def _cancelled(task: Task, now_ms: int) -> PlanFact:
    last = task.attempt
    where = safe_line(last.agent) if last is not None else ""
    match stopped_by_cancel(task):
        case Stopping.LOST:
            since_ms = last.started_at_ms if last is not None else None
            starts = f"is being started on {where}"
            runs = f"runs on {where} for {words.age(since_ms, now_ms)}"
            text = f"{starts if since_ms is None else runs}: that work is lost"
        case Stopping.OUT_OF_SIGHT:
            text = f"may run on {where}: stopped if so"
        case Stopping.NOTHING if task.phase is TaskPhase.NEEDS_OPERATOR:
            text = "needs a verdict: cancelled without one"
        case Stopping.NOTHING:
            text = "queued: removed from the queue"
        case other:
            assert_never(other)
    is_loss = stopped_by_cancel(task) is not Stopping.NOTHING
    return PlanFact(text, task.label, payload(task), is_loss=is_loss)


HOLD = Verb(
    name="hold",
    key="H",
    noun=Noun.TASK,
    chapter=Chapter.TASKS,
    title="hold the task",
    summary="Hold queued tasks until released.",
    help="Keeps a queued task from being placed until it is released. Its deadlines keep running.",
    done="held",
    label="hold",
    footer=23,
    command=lambda names, said: Hold(tasks=ids(names), reason=said.reason),
    options=(Option.REASON,),
    facts=_hold_facts,
)

RELEASE = Verb(
    name="release",
    key="L",
    noun=Noun.TASK,
    chapter=Chapter.TASKS,
    title="release the task",
    summary="Release held tasks for placement.",
    help="Makes a held task eligible for placement again.",
    done="released",
    label="release",
    footer=51,
    command=lambda names, said: Release(tasks=ids(names)),
)

EXPEDITE = Verb(
    name="expedite",
    key="F",
    noun=Noun.TASK,
    chapter=Chapter.TASKS,
    title="expedite the task",
    summary="Move queued tasks to the front of the queue.",
    help="Moves a queued task to the front of the queue. Running tasks are not preempted.",
    done="expedited",
    label="expedite",
    footer=22,
    command=lambda names, said: Expedite(tasks=ids(names), reason=said.reason),
    options=(Option.REASON,),
)

PRIORITY = Verb(
    name="priority",
    key="I",
    noun=Noun.TASK,
    chapter=Chapter.TASKS,
    title="change the priority",
    summary="Change the priority of queued tasks.",
    help="Sets the priority of queued tasks, from P0 (most urgent) to P3.",
    done="reprioritized",
    label="priority",
    footer=21,
    command=lambda names, said: SetPriority(tasks=ids(names), priority=said.priority),
    options=(Option.PRIORITY,),
)

CANCEL = Verb(
    name="cancel",
    key="K",
    noun=Noun.TASK,
    chapter=Chapter.TASKS,
    title="cancel the task",
    summary="Cancel queued or running tasks.",
    help="Removes the task from the queue or stops its run; the work of a stopped run is lost.",
    done="cancelled",
    goes_on="being cancelled",
    label="cancel",
    footer=52,
    command=lambda names, said: Cancel(tasks=ids(names), reason=said.reason),
    options=(Option.REASON,),
    facts=_cancel_facts,
)

SUBMIT = Words(
    name="submit",
    key="T",
    noun=Noun.FLEET,
    chapter=Chapter.TASKS,
    title="submit a task",
    summary="Submit a task or a file of tasks.",
    help="Opens a form; nothing is sent until you confirm.",
    label="submit",
    footer=38,
    has_form=True,
)

RESOLVE = TaskVerb(
    name="resolve",
    key="V",
    noun=Noun.TASK,
    chapter=Chapter.TASKS,
    title="give a verdict",
    summary="Give a verdict on a task whose outcome is unknown.",
    help=(
        "Records the outcome of a task that only an operator can determine; shows the evidence "
        "first."
    ),
    label="verdict",
    footer=53,
    not_for=lambda state, task: not_judged(task),
)

TASK_WORDS = (SUBMIT, CANCEL, RESOLVE, HOLD, RELEASE, EXPEDITE, PRIORITY)
