"""What is done to tasks that are open."""

from collections.abc import Sequence
from typing import assert_never

from fleet_tui.core.ids import TaskId
from fleet_tui.core.plans import Stopping, impact_words, stopped_by_cancel, subjects
from fleet_tui.core.tasks.commands import Cancel, Expedite, Hold, Release, SetPriority
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, Verb, Words

MAX_PAYLOAD_CHARS = 60

MAX_TOLD = 20
"""Tasks that a plan tells one by one; it says how many others there are."""


def ids(names: Sequence[str]) -> tuple[TaskId, ...]:
    """What is named, as a command names it."""
    return tuple(map(TaskId, names))


def tasks_of(planned: Planned) -> list[Task]:
    """The tasks that something is done to."""
    known = (planned.state.task(each) for each in ids(subjects(planned.plan.command)))
    return [task for task in known if task is not None]


def payload(task: Task) -> str:
    """The beginning of what it asks for, safe to show."""
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
            text = f"may run on {where}: stopped if it does"
        case Stopping.NOTHING if task.phase is TaskPhase.NEEDS_OPERATOR:
            text = "needs a verdict: it is not asked for any more"
        case Stopping.NOTHING:
            text = "waits: taken off the queue"
        case other:
            assert_never(other)
    is_loss = stopped_by_cancel(task) is not Stopping.NOTHING
    return PlanFact(text, task.label, payload(task), is_loss=is_loss)


HOLD = Verb(
    name="hold",
    key="H",
    noun=Noun.TASK,
    title="hold the task",
    summary="Hold queued tasks until released.",
    help="A queued task is not placed until it is released. Its deadlines go on.",
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
    title="release the task",
    summary="Let held tasks be placed again.",
    help="A held task may be placed again.",
    done="released",
    label="release",
    footer=51,
    command=lambda names, said: Release(tasks=ids(names)),
)

EXPEDITE = Verb(
    name="expedite",
    key="F",
    noun=Noun.TASK,
    title="expedite the task",
    summary="Place queued tasks before all others.",
    help="A queued task is placed before all others. Nothing that runs is stopped for it.",
    done="expedited",
    label="first",
    footer=22,
    command=lambda names, said: Expedite(tasks=ids(names), reason=said.reason),
    options=(Option.REASON,),
)

PRIORITY = Verb(
    name="priority",
    key="I",
    noun=Noun.TASK,
    title="change the priority",
    summary="Give queued tasks another priority.",
    help="P0 to P3 for queued tasks; P0 is the most urgent.",
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
    title="cancel the task",
    summary="Cancel tasks: off the queue, or stopped where they run.",
    help="Takes it off the queue, or stops its run: that work is lost.",
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
    title="submit a task",
    summary="Give the fleet a task, or a file of them.",
    help="A form; nothing is sent before you confirm.",
    label="submit",
    footer=38,
)

RESOLVE = Words(
    name="resolve",
    key="V",
    noun=Noun.TASK,
    title="give a verdict",
    summary="Say what became of a task that needs a verdict.",
    help="Says what became of a task that only a person can judge; the evidence comes first.",
    label="verdict",
    footer=53,
)

TASK_VERBS = (CANCEL, HOLD, RELEASE, EXPEDITE, PRIORITY)
