"""What is done to tasks: make the command, show its plan, send it, tell what came of it.

Tasks that something cannot be done to are left out, and the question says how many.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.menus import PriorityMenu
from fleet_tui.console.actions.plans import (
    approved,
    asked,
    carry_out,
    command_line,
    confirmed,
    others,
    plan_of,
    planned,
)
from fleet_tui.console.actions.selection import Selection, listed
from fleet_tui.console.host import Stage
from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.document import name
from fleet_tui.console.views.tasks.verdict import judge
from fleet_tui.console.widgets.dialogs import Plan as Card
from fleet_tui.console.widgets.plan_form import Field
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan, Tier, subjects
from fleet_tui.core.tasks.commands import (
    Cancel,
    Drop,
    Expedite,
    Hold,
    Release,
    Requeue,
    SetPriority,
)
from fleet_tui.core.tasks.dead_letters import MAX_PER_MINUTE, failure_kind, fingerprint
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.verdicts import may_be_judged, may_still_run
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line

MAX_PAYLOAD_CHARS = 60

MAX_KINDS = 6
"""Kinds of failure or clients a plan names; it says how many others there are."""

MAX_KIND_CHARS = 60

MAX_NAMED = 6
"""Tasks that are named one by one in the command that does the same."""

SLOW_FROM = 20
"""From this many tasks on a rate is proposed instead of letting all go at once."""

USUAL_PER_MINUTE = 60

_SAID_HERE = "said in the console"


def _payload(task: Task) -> str:
    return safe_line(task.spec.shown, MAX_PAYLOAD_CHARS)


def _tasks(screen: Stage, found: Plan) -> list[Task]:
    """The tasks that something is done to."""
    state = screen.console.view.state
    known = (state.task(TaskId(each)) for each in subjects(found.command))
    return [task for task in known if task is not None]


def _labels(tasks: Sequence[Task]) -> str:
    return listed(task.label for task in tasks)


# --- waiting tasks ---


async def hold(screen: Stage, chosen: Selection) -> None:
    """Hold queued tasks until they are released."""
    found = planned(screen, Hold(tasks=chosen.tasks))
    if found is None:
        return
    tasks = _tasks(screen, found)
    pronoun = "it waits" if len(tasks) == 1 else "they wait"
    question = f"Hold {_labels(tasks)}? Until L, {pronoun}.{others(found)}"
    if await confirmed(screen, question):
        await carry_out(screen, found, f"held {_labels(tasks)}")


async def release(screen: Stage, chosen: Selection) -> None:
    """Let held tasks be placed."""
    found = planned(screen, Release(tasks=chosen.tasks))
    if found is None:
        return
    label = _labels(_tasks(screen, found))
    if await confirmed(screen, f"Release {label}?{others(found)}"):
        await carry_out(screen, found, f"released {label}")


async def expedite(screen: Stage, chosen: Selection) -> None:
    """Place waiting tasks before all others."""
    found = planned(screen, Expedite(tasks=chosen.tasks, reason=_SAID_HERE))
    if found is None:
        return
    label = _labels(_tasks(screen, found))
    if await confirmed(screen, f"Place {label} before all others?{others(found)}"):
        await carry_out(screen, found, f"{label} first, before all others")


async def priority(screen: Stage, chosen: Selection) -> None:
    """Another priority for waiting tasks."""
    state = screen.console.view.state
    known = (state.task(task) for task in chosen.tasks)
    label = _labels([task for task in known if task is not None and reasons.may_move(task)])
    wanted = await screen.console.push_screen_wait(PriorityMenu(f"Priority of {label}"))
    if wanted is None:
        return
    found = planned(screen, SetPriority(tasks=chosen.tasks, priority=wanted))
    if found is None:
        return
    label = _labels(_tasks(screen, found))
    if await confirmed(screen, f"Move {label} to {wanted.name}?{others(found)}"):
        await carry_out(screen, found, f"{label}: {wanted.name}")


def _cancel_line(task: Task, now_ms: int) -> Line:
    label = Cell(f"{task.label:<9}", Tone.ACCENT)
    payload = Cell(_payload(task), Tone.DIM)
    if task.phase is TaskPhase.NEEDS_OPERATOR:
        return (label, Cell(f"{_asked_about(task)}  "), payload)
    attempt = task.open_attempt
    if attempt is None:
        return (label, Cell("waits: taken off the queue  "), payload)
    since_ms = attempt.started_at_ms or attempt.planned_at_ms
    ran = words.age(since_ms, now_ms)
    where = f"runs on {safe_line(attempt.agent)} for {ran}: "
    return (
        label,
        Cell(where),
        Cell("that work is lost  ", Tone.WARN),
        payload,
    )


def _asked_about(task: Task) -> str:
    """What a cancel does to a task about which an operator is asked."""
    last = task.attempt
    if last is not None and may_still_run(last):
        return f"may run on {name(last.agent)}: stopped if it does"
    return "needs a verdict: it is not asked for any more"


async def cancel(screen: Stage, chosen: Selection) -> None:
    """Take tasks off the queue or stop their runs."""
    view = screen.console.view
    found = planned(screen, Cancel(tasks=chosen.tasks))
    if found is None:
        return
    tasks = _tasks(screen, found)
    labels = [task.label for task in tasks]
    lines = [_cancel_line(task, view.now_ms) for task in tasks]
    if found.left_out:
        lines.append((Cell(others(found).strip(), Tone.DIM),))
    card = plan_of(
        view.state,
        f"cancel {listed(labels)}",
        lines,
        command_line("cancel", *labels),
        "Cancel them" if len(tasks) > 1 else "Cancel it",
        typed=found.tier is Tier.NAME,
    )
    if await approved(screen, card):
        await carry_out(screen, found, f"cancelling {listed(labels)}")


async def resolve(screen: Stage, chosen: Selection) -> None:
    """A verdict on each task that needs one."""
    state = screen.console.view.state
    for task in (state.task(each) for each in chosen.tasks):
        if task is not None and may_be_judged(task):
            await judge(screen, task)


# --- tasks that failed ---


def impact(tasks: Sequence[Task], fleet: FleetSpec) -> list[Line]:
    """How many, whose, and how they ended: what a plan about many tasks says first."""
    if len(tasks) == 1:
        (task,) = tasks
        ended = f"{task.label} ended as {task.phase.value}: "
        return [
            (Cell(ended), Cell(safe_line(task.reason or "no reason told"))),
            (Cell(_payload(task), Tone.DIM),),
        ]
    clients = _counted([name(task.spec.client or "no client") for task in tasks])
    kinds = _counted([safe_line(failure_kind(task, fleet), MAX_KIND_CHARS) for task in tasks])
    lines: list[Line] = [
        (Cell(f"{words.plural(len(tasks), 'task')}: ", Tone.TITLE), Cell(_labels(tasks))),
        (Cell("clients  ", Tone.DIM), Cell(", ".join(clients))),
    ]
    for at, kind in enumerate(kinds):
        lines.append((Cell("         " if at else "ended    ", Tone.DIM), Cell(kind)))
    return lines


def same_as(verb: str, tasks: Sequence[Task], state: FleetState, *options: str) -> str:
    """The shell command for these tasks: by the group's name if they are all of one; empty where
    the line would be longer than anybody reads."""
    if len(tasks) <= MAX_NAMED:
        return command_line(verb, *(task.label for task in tasks), *options)
    kind = failure_kind(tasks[0], state.fleet)
    ways = [failure_kind(task, state.fleet) for task in state.dead_letters.values()]
    if ways.count(kind) == len(tasks) and all(failure_kind(t, state.fleet) == kind for t in tasks):
        return command_line(verb, "--fingerprint", fingerprint(kind), *options)
    return ""


def _counted(names: Sequence[str]) -> list[str]:
    """``12 acme``, ``3 globex``, ``2 others``: the most frequent first."""
    counts: dict[str, int] = {}
    for each in names:
        counts[each] = counts.get(each, 0) + 1
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{words.grouped(n)} {each}" for each, n in ordered[:MAX_KINDS]]
    more = sum(n for _, n in ordered[MAX_KINDS:])
    return [*shown, f"{words.grouped(more)} others"] if more else shown


def parse_rate(text: str) -> int | str | None:
    """Tasks a minute; None for nothing typed; what is wrong in words."""
    if not text:
        return None
    digits = text.removesuffix("/min").strip()
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 6:
        return "a number of tasks a minute, or empty: all at once"
    rate = int(digits)
    if not 1 <= rate <= MAX_PER_MINUTE:
        return f"from 1 to {words.grouped(MAX_PER_MINUTE)} a minute"
    return rate


def _rate_problem(text: str) -> str:
    rate = parse_rate(text)
    return rate if isinstance(rate, str) else ""


def _pace(count: int, text: str) -> str:
    """When the last one of so many goes at this rate."""
    rate = parse_rate(text)
    if isinstance(rate, str):
        return "The rate is not understood."
    if rate is None or count <= 1:
        return "All of them may be placed at once."
    last_ms = (count - 1) * 60_000 // rate
    return f"{words.grouped(rate)} a minute; the last one goes in {words.about(last_ms)}."


async def requeue(screen: Stage, chosen: Selection) -> None:
    """Run tasks that ended badly again."""
    state = screen.console.view.state
    found = planned(screen, Requeue(tasks=chosen.tasks, reason=_SAID_HERE))
    if found is None:
        return
    tasks = _tasks(screen, found)
    count, label = len(tasks), _labels(tasks)
    title = f"requeue {label if count == 1 else words.plural(count, 'task')}"

    def card(typed: Mapping[str, str]) -> Card:
        lines = impact(tasks, state.fleet)
        if count > 1:
            lines.append((Cell("pace     ", Tone.DIM), Cell(_pace(count, typed.get("rate", "")))))
        lines.append((Cell("Each runs again from its start, or its last checkpoint."),))
        if found.left_out:
            lines.append((Cell(others(found).strip(), Tone.DIM),))
        pace = ("--per-minute", typed["rate"]) if typed.get("rate") else ()
        why = ("--reason", typed["reason"]) if typed.get("reason") else ()
        twin = same_as("requeue", tasks, state, *pace, *why)
        return plan_of(state, title, lines, twin, "Requeue", typed=found.tier is Tier.NAME)

    reason = _SAID_HERE
    rate: int | None = None
    if count == 1:
        if not await approved(screen, card({})):
            return
    else:
        proposed = str(USUAL_PER_MINUTE) if count >= SLOW_FROM else ""
        fields = (
            Field("rate", "rate", proposed, "tasks a minute; empty: all at once", _rate_problem),
            Field("reason", "reason", hint="why, for the record"),
        )
        said = await asked(screen, card, fields)
        if said is None:
            return
        typed_rate = parse_rate(said["rate"])
        rate = typed_rate if isinstance(typed_rate, int) else None
        reason = said["reason"] or _SAID_HERE
    command = Requeue(tasks=tuple(t.id for t in tasks), per_minute=rate, reason=reason)
    await carry_out(screen, replace(found, command=command), f"requeued {label}")


def _needs_reason(text: str) -> str:
    return "" if text else "dropping needs a reason; it is recorded with your name"


async def drop(screen: Stage, chosen: Selection) -> None:
    """Write dead letters off."""
    state = screen.console.view.state
    found = planned(screen, Drop(tasks=chosen.tasks, reason=_SAID_HERE))
    if found is None:
        return
    tasks = _tasks(screen, found)
    count, label = len(tasks), _labels(tasks)

    def card(typed: Mapping[str, str]) -> Card:
        lines = impact(tasks, state.fleet)
        lines.append((Cell("They" if count > 1 else "It", Tone.WARN),
                      Cell(" will not run again; the ledger keeps what was asked and tried."),
                      ))  # fmt: skip
        if found.left_out:
            lines.append((Cell(others(found).strip(), Tone.DIM),))
        title = f"drop {label if count == 1 else words.plural(count, 'task')}"
        twin = same_as("drop", tasks, state, "--reason", typed.get("reason") or "WHY")
        return plan_of(state, title, lines, twin, "Drop", typed=found.tier is Tier.NAME)

    why = Field("reason", "reason", hint="why it needs nothing more", check=_needs_reason)
    said = await asked(screen, card, [why])
    if said is not None:
        command = Drop(tasks=tuple(task.id for task in tasks), reason=said["reason"])
        await carry_out(screen, replace(found, command=command), f"dropped {label}")


ACTS: dict[str, Callable[[Stage, Selection], Awaitable[None]]] = {
    "cancel": cancel,
    "resolve": resolve,
    "hold": hold,
    "release": release,
    "expedite": expedite,
    "priority": priority,
    "requeue": requeue,
    "drop": drop,
}
"""By the name of the action."""
