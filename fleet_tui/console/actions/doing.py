"""The steps of acting actions: make the command, show its plan, send it, report the result.

Subjects to which a verb does not apply are left out, and the question gives their number. The
confirmation follows from the plan (:mod:`fleet_tui.console.actions.plans`).
"""

import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec.structs import replace

from fleet_tui.console.actions.menus import PriorityMenu
from fleet_tui.console.actions.plans import Proposal, agreed, carry_out, planned
from fleet_tui.console.actions.selection import Selection
from fleet_tui.console.host import Stage
from fleet_tui.console.views.tasks.verdict import judge
from fleet_tui.console.widgets.plan_form import Field
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.plans import Plan, named, subjects, title
from fleet_tui.core.tasks.dead_letters import MAX_PER_MINUTE, failure_kind, fingerprint
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.fleet import UNDO
from fleet_tui.verbs.possible import able
from fleet_tui.verbs.tasks import RESOLVE, ids, tasks_of
from fleet_tui.verbs.undoing import undoing, undone
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, Said, Verb

MAX_NAMED = 6
"""Subjects that are named one by one in the equivalent command."""

SLOW_FROM = 20
"""From this many tasks on a rate is proposed instead of releasing all at once."""

USUAL_PER_MINUTE = 60

_TO_COME = Said(reason="-")
"""Placeholder options for planning, before the card has asked for a reason."""


async def do(screen: Stage, chosen: Selection, verb: Verb) -> None:
    """Apply the verb to the selected subjects where possible, if the operator confirms the plan."""
    if Option.TEXT in verb.options:
        await _say(screen, verb)
        return
    names = _there(screen, chosen, verb.noun)
    said = await _first_said(screen, names, verb)
    found = planned(screen, verb.command(names, said)) if said is not None else None
    if said is None or found is None:
        return
    answers = await agreed(screen, _proposal(screen, found, verb, said))
    if answers is not None:
        them = safe_line(named(screen.console.view.state, found.command))
        command = verb.command(subjects(found.command), _said(said, answers))
        await carry_out(screen, replace(found, command=command), f"{verb.afterwards}: {them}")


def _there(screen: Stage, chosen: Selection, noun: Noun) -> Sequence[str]:
    """The selection, without alerts that were resolved meanwhile."""
    names = chosen.names(noun)
    if noun is not Noun.ALERT:
        return names
    return [name for name in names if name in screen.console.view.state.alerts]


async def _first_said(screen: Stage, names: Sequence[str], verb: Verb) -> Said | None:
    """The options that a verb needs for planning; None when the operator cancels."""
    if Option.PRIORITY not in verb.options:
        return _TO_COME if Option.NEEDED_REASON in verb.options else Said()
    state = screen.console.view.state
    those = able(verb, state, names, screen.console.view.now_ms) or names
    them = safe_line(named(state, verb.command(those, Said())))
    wanted = await screen.console.push_screen_wait(PriorityMenu(f"Priority of {them}"))
    return None if wanted is None else Said(priority=wanted)


def _proposal(screen: Stage, found: Plan, verb: Verb, said: Said) -> Proposal:
    view = screen.console.view
    state, now_ms = view.state, view.now_ms
    several = len(subjects(found.command)) > 1
    it = "" if verb.noun is Noun.FLEET else " them" if several else " it"

    def facts(typed: Mapping[str, str]) -> Planned:
        return Planned(state, found, _said(said, typed), now_ms)

    def told(typed: Mapping[str, str]) -> Sequence[PlanFact]:
        wrong = _rate_problem(typed.get("rate", ""))
        return [PlanFact(wrong, "rate", is_loss=True)] if wrong else verb.facts(facts(typed))

    return Proposal(
        safe_line(title(state, found.command)),
        found.tier,
        told,
        button=f"{verb.name.capitalize()}{it}",
        same_as=lambda typed: _same_as(verb, facts(typed)),
        fields=[_field(option, found) for option in verb.asks(found.impact.tasks)],
        left_out=found.left_out,
    )


def _said(first: Said, typed: Mapping[str, str]) -> Said:
    """The options, from the fields of its card where there were any."""
    if not typed:
        return first
    rate = parse_rate(typed.get("rate", ""))
    return Said(reason=typed.get("reason", ""), per_minute=rate if isinstance(rate, int) else None)


def _field(option: Option, found: Plan) -> Field:
    match option:
        case Option.REASON:
            return Field("reason", "reason", hint="why, for the record")
        case Option.NEEDED_REASON:
            return Field("reason", "reason", hint="why, for the record", check=_needs_reason)
        case Option.RATE:
            proposed = str(USUAL_PER_MINUTE) if found.impact.tasks >= SLOW_FROM else ""
            hint = "tasks a minute; empty: all at once"
            return Field("rate", "rate", proposed, hint, _rate_problem)
        case Option.PRIORITY | Option.TEXT:
            raise ValueError(f"{option} is asked for before there is a plan")


def _needs_reason(text: str) -> str:
    return "" if text else "this needs a reason; it is recorded with your name"


def parse_rate(text: str) -> int | str | None:
    """Tasks per minute; None for empty text; an error message for invalid text."""
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


def _same_as(verb: Verb, facts: Planned) -> str:
    """The equivalent shell command, as safe text: dead letters by their group's name if they all
    belong to one; empty where the line would be too long to read."""
    tasks = tasks_of(facts) if verb.noun is Noun.TASK else []
    names = [task.label for task in tasks] or list(subjects(facts.plan.command))
    if len(names) > MAX_NAMED:
        group = _group(tasks, facts) if verb.of_dead_letters else ""
        if not group:
            return ""
        names = ["--fingerprint", group]
    said = facts.said
    if Option.PRIORITY in verb.options:
        names.insert(0, said.priority.name)
    if said.per_minute is not None:
        names += ["--per-minute", str(said.per_minute)]
    if said.reason and said != _TO_COME:
        names += ["--reason", said.reason]
    elif Option.NEEDED_REASON in verb.options:
        names += ["--reason", "WHY"]
    return " ".join(("fleet-tui", verb.name, *(shlex.quote(safe_line(name)) for name in names)))


def _group(tasks: Sequence[Task], facts: Planned) -> str:
    """The fingerprint of the group if these are all of its dead letters; else empty."""
    fleet = facts.state.fleet
    kind = failure_kind(tasks[0], fleet)
    ways = [failure_kind(task, fleet) for task in facts.state.dead_letters.values()]
    whole = ways.count(kind) == len(tasks) and all(failure_kind(t, fleet) == kind for t in tasks)
    return fingerprint(kind) if whole else ""


async def _say(screen: Stage, verb: Verb) -> None:
    """Do it with the words that were given, or ask for them."""
    text, screen.console.note_text = screen.console.note_text, ""
    if text:
        reply = await screen.console.send(verb.command((), Said(text=text)))
        if isinstance(reply, Accepted):
            screen.console.tell(verb.done)
    else:
        screen.open_command_line(f"{verb.name} ")


# --- what has a card of its own, or needs several commands ---


async def resolve(screen: Stage, chosen: Selection) -> None:
    """Give a verdict on each task that needs one."""
    view = screen.console.view
    for name in ids(able(RESOLVE, view.state, chosen.tasks, view.now_ms)):
        if (task := view.state.task(name)) is not None:
            await judge(screen, task)


async def undo(screen: Stage, chosen: Selection) -> None:
    """Undo the last action of this console, where nothing has changed it since."""
    del chosen
    console, view = screen.console, screen.console.view
    commands, console.undo = console.undo, ()
    found = undoing(view.state, "", commands, view.now_ms)
    if not found.plans:
        console.tell(safe_line("; ".join(each.why.text for each in found.left_out)))
        return
    proposal = Proposal(
        f"undo: {', '.join(found.titles)}",
        max(each.tier for each in found.plans),
        lambda typed: found.facts,
        button="Undo",
        same_as=lambda typed: "",
        left_out=found.left_out,
    )
    if await agreed(screen, proposal) is None:
        console.undo = commands
        return
    came = undone(found, [await console.send(each.command, each.impact) for each in found.plans])
    console.undo = tuple(came.redo if came.done else came.left)
    for what in came.stayed:
        console.tell(f"{what}: unchanged, because it had changed since")
    if came.done:
        again = console.keyed(". {undo} redoes it") if came.redo else ""
        console.tell(f"undone: {', '.join(came.told)}{again}")


OTHERS: dict[str, Callable[[Stage, Selection], Awaitable[None]]] = {
    RESOLVE.name: resolve,
    UNDO.name: undo,
}
"""By the name of the verb."""
