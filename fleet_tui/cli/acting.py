"""The command of a verb: select, plan, confirm, send, report.

Every verb works the same way here: it applies to named subjects, or to selected tasks; a plan is
made from the ledger and shown where confirmation is needed; the engine's replies are reported.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, assert_never

import click

from fleet_tui.base.errors import ExitCode, UsageError
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import (
    Fleet,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    operator,
    refusal,
    say,
)
from fleet_tui.cli.confirming import confirm, confirm_count
from fleet_tui.cli.selecting import (
    Selector,
    consent_options,
    fingerprint_option,
    nothing_matched,
    select,
    select_options,
)
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.base import Tier
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decided import LeftOut
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan, named, plan, subjects, title
from fleet_tui.core.tasks.commands import MAX_NAMED_TASKS
from fleet_tui.core.tasks.dead_letters import MAX_PER_MINUTE
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.named import ended_long_ago
from fleet_tui.core.text import words
from fleet_tui.verbs.fleet import UNDO
from fleet_tui.verbs.table import VERBS
from fleet_tui.verbs.verb import Noun, Option, PlanFact, Planned, Said, Verb

SECOND_SHAPE = frozenset({"cordoned", "uncordoned", "frozen", "thawed"})
"""JSON documents whose first version had the engine's reply and no plan."""

MAX_LEFT_OUT_TOLD = 20


class Consent(NamedTuple):
    """The operator's consent given in advance."""

    yes: bool
    confirm: int | None
    dry_run: bool


class Meant(NamedTuple):
    """The subjects of a verb."""

    names: Sequence[str]
    """Ids of tasks and alerts, names of agents; none for the fleet."""
    each_named: bool
    """Whether the operator named every one of them."""
    everything: bool = False
    """Whether the operator gave ``--all``."""
    gone: Sequence[LeftOut] = ()
    """Tasks that are only in the ledger."""


def act(
    fleet: Fleet,
    verb: Verb,
    said: Said,
    meant_in: Callable[[FleetState, Any], Meant],
    consent: Consent,
    as_json: bool,
) -> int:
    """Apply the verb to the subjects that allow it. Exit 1 when nothing matched, 5 when some named
    ones were left out, 6 when all were or there was no consent. An agent, an alert or the fleet
    that is already in the requested state is not an error."""
    now_ms = time.time_ns() // 1_000_000
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        meant = meant_in(state, ledger)
    plans, left_out = _planned(state, verb, said, meant, now_ms)
    already = [each for each in left_out if each.why.code.is_so_already]
    left_out = [each for each in left_out if not each.why.code.is_so_already]
    if not meant.each_named:  # a selection means the tasks that allow it
        left_out = [each for each in left_out if not each.why.code.is_not_for_it]
    if not plans and not already:
        if not left_out:
            raise nothing_matched()
        raise refusal(left_out[0].why)
    able = [name for each in plans for name in subjects(each.command)]
    facts = [Planned(state, each, said, now_ms) for each in plans]
    impact = _impact(verb, facts)
    done = Done()
    if plans and not consent.dry_run:
        tier = max(each.tier for each in plans)
        was_shown = _ask(verb, impact, meant, len(able), tier, consent)
        done = _send(fleet, plans, was_shown=was_shown)
    if as_json:
        emit_json(
            f"{verb.done}/{2 if verb.done in SECOND_SHAPE else 1}",
            fleet=fleet.name,
            dry_run=consent.dry_run,
            impact=" ".join(impact),
            **_listed(verb, state, able),
            changed=done.changed,
            left_out=[{"label": each.label, "refused": each.why} for each in left_out + already],
            refused=done.refused,
            undo=[title(state, each) for each in done.undo],
        )
    elif plans:
        whole, counted = done.changed == len(able), words.plural(done.changed, verb.noun)
        them = named(state, verb.command(able, said)) if whole else counted
        if consent.dry_run:
            say(f"would {impact[0][:1].lower()}{impact[0][1:]}")
            for line in impact[1:]:
                say(f"  {line}")
        elif done.changed or not able:
            say(f"{verb.afterwards}: {them}")
        else:
            say("it had changed since; nothing was done", err=True)
    for each in [*already, *left_out][:MAX_LEFT_OUT_TOLD]:
        say(f"{each.label}: {each.why.text}", err=True)
    if done.refused is not None:
        say(done.refused.text, err=True)
    if done.undo and not as_json:
        say(f"`fleet-tui {UNDO.name}` undoes it", err=True)
    whole = consent.dry_run or done.changed == len(able)
    whole = whole and not left_out and done.refused is None
    return ExitCode.OK if whole else ExitCode.PARTIAL


def _planned(
    state: FleetState, verb: Verb, said: Said, meant: Meant, now_ms: int
) -> tuple[list[Plan], list[LeftOut]]:
    """The plans, MAX_NAMED_TASKS at a time, and the subjects left out with reasons. Raises
    UsageError for a rate that so many tasks cannot keep together."""
    plans, left_out = _in_parts(state, verb, said, meant.names, now_ms)
    if len(plans) > 1:  # the applicable ones may fit into fewer commands
        able = [name for each in plans for name in subjects(each.command)]
        if said.per_minute is not None and len(able) > MAX_NAMED_TASKS:
            most = f"at most {MAX_NAMED_TASKS:,} at a time"
            raise UsageError(f"{len(able):,} tasks; {most}", hint="use --filter")
        plans, _ = _in_parts(state, verb, said, able, now_ms)
    return plans, [*meant.gone, *left_out]


def _in_parts(
    state: FleetState, verb: Verb, said: Said, names: Sequence[str], now_ms: int
) -> tuple[list[Plan], list[LeftOut]]:
    plans: list[Plan] = []
    left_out: list[LeftOut] = []
    for part in _batched(verb, names):
        match plan(state, operator(), verb.command(part, said), now_ms):
            case Plan() as found:
                plans.append(found)
                left_out += found.left_out
            case Refused() as why if verb.noun is Noun.FLEET:
                left_out.append(LeftOut("", state.fleet.name, why))
            case Refused():  # reports only the first of them
                left_out += [_alone(state, verb, said, name, now_ms) for name in part]
    return plans, left_out


def _alone(state: FleetState, verb: Verb, said: Said, name: str, now_ms: int) -> LeftOut:
    """Why the verb does not apply to one of the subjects, when it applies to none."""
    why = plan(state, operator(), verb.command((name,), said), now_ms)
    assert isinstance(why, Refused), why
    return LeftOut(name, _label(state, name), why)


def _batched(verb: Verb, names: Sequence[str]) -> list[Sequence[str]]:
    if verb.noun is Noun.FLEET:
        return [()]
    return [names[n : n + MAX_NAMED_TASKS] for n in range(0, len(names), MAX_NAMED_TASKS)]


def _label(state: FleetState, name: str) -> str:
    task = state.task(TaskId(name))
    return name if task is None else task.label


def _impact(verb: Verb, facts: Sequence[Planned]) -> list[str]:
    """The impact, a line each; each of several commands about tasks has its own lines."""
    told: list[str] = []
    for each in facts:
        what = title(each.state, each.plan.command)
        first = PlanFact(f"{what[:1].upper()}{what[1:]}.{_clients(each)}")
        told += [fact.line for fact in (first, *verb.facts(each))]
    return told


def _clients(facts: Planned) -> str:
    """`` Work of 2 clients.``: whose tasks they are, where they are any client's."""
    known = (facts.state.task(TaskId(name)) for name in subjects(facts.plan.command))
    clients = {t.spec.client for t in known if t is not None and t.spec.client is not None}
    return f" Work of {words.plural(len(clients), 'client')}." if clients else ""


def _ask(
    verb: Verb, impact: Sequence[str], meant: Meant, count: int, tier: Tier, consent: Consent
) -> bool:
    """Continue only with the operator's consent; returns whether the plan was shown for it. Raises
    CommandRefused without."""
    # Freezing a fleet loses nothing and is urgent.
    is_much = tier is Tier.NAME and verb.noun is not Noun.FLEET
    asks = verb.asks_when_named or not meant.each_named or is_much
    given = consent.confirm is not None if meant.everything else consent.yes
    if not asks and not meant.everything:
        return False
    if not given:
        for line in impact:
            say(line, err=True)
    if meant.everything:
        confirm_count("Type the number of tasks to confirm", count, typed=consent.confirm)
    else:
        confirm("Continue?", yes=consent.yes)
    return not given


class Done(NamedTuple):
    """The result of the commands."""

    changed: int = 0
    """How many of their subjects."""
    refused: Refused | None = None
    """The first refusal."""
    undo: Sequence[Command] = ()
    """The commands that undo it."""


def _send(fleet: Fleet, plans: Sequence[Plan], *, was_shown: bool) -> Done:
    """Send the commands. Raises the engine's refusal when nothing was changed."""
    shown = [each.impact if was_shown else None for each in plans]
    replies = ask_engine(fleet, [each.command for each in plans], shown)
    changed = sum(
        reply.changed if reply.changed is not None else len(subjects(each.command))
        for each, reply in zip(plans, replies, strict=True)
        if isinstance(reply, Accepted)
    )
    refused = next((r for r in replies if isinstance(r, Refused)), None)
    if refused is not None and not changed:
        raise refusal(refused)
    undo = [each for reply in replies if isinstance(reply, Accepted) for each in reply.undo]
    return Done(changed, refused, undo)


def _listed(verb: Verb, state: FleetState, names: Sequence[str]) -> dict[str, object]:
    """The subjects, for programs."""
    match verb.noun:
        case Noun.TASK:
            return {"tasks": [{"task": name, "label": _label(state, name)} for name in names]}
        case Noun.AGENT:
            return {"agents": names}
        case Noun.ALERT:
            return {"alerts": names}
        case Noun.FLEET:
            return {}
        case _:
            assert_never(verb.noun)


# --- the selection ---


def _tasks_meant(selector: Selector) -> Callable[[FleetState, Any], Meant]:
    def meant(state: FleetState, ledger: Any) -> Meant:
        chosen: list[Task] = select(ledger, state, selector)
        gone = [
            LeftOut(task.id, task.label, ended_long_ago(task))
            for task in chosen
            if state.task(task.id) is None
        ]
        known = [task.id for task in chosen if state.task(task.id) is not None]
        return Meant(known, selector.names_each, selector.everything, gone)

    return meant


def _names_meant(names: Sequence[str]) -> Callable[[FleetState, Any], Meant]:
    return lambda state, ledger: Meant(tuple(dict.fromkeys(names)), each_named=True)


# --- the command ---

Options = list[Callable[[Callable[..., Any]], Callable[..., Any]]]


def _option(option: Option) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    match option:
        case Option.REASON:
            return click.option("--reason", default="", help="Reason, recorded in the ledger.")
        case Option.NEEDED_REASON:
            return click.option("--reason", required=True, help="Reason, recorded in the ledger.")
        case Option.RATE:
            return click.option(
                "--per-minute",
                type=click.IntRange(1, MAX_PER_MINUTE),
                metavar="N",
                help="Requeue at most N tasks per minute.",
            )
        case Option.PRIORITY:
            return click.argument("priority", type=OneOf(each.name for each in Priority))
        case Option.TEXT:
            return click.argument("text")
        case _:
            assert_never(option)


def _takes(verb: Verb) -> Options:
    """The options and arguments that select the subjects."""
    match verb.noun:
        case Noun.TASK:
            return [select_options, *([fingerprint_option] if verb.of_dead_letters else [])]
        case Noun.AGENT | Noun.ALERT:
            metavar = f"{verb.noun.upper()}S..."
            return [
                click.argument("names", metavar=metavar, nargs=-1, required=True),
                consent_options,
            ]
        case Noun.FLEET:
            return [click.argument("fleet", required=False), consent_options]
        case _:
            assert_never(verb.noun)


_EXIT_CODES = {
    Noun.TASK: "TASKS are labels (t-42), numbers (42) or ids. Exits 1 if nothing matched, 5 if "
    "some tasks were left out, 6 if all were left out or the prompt was declined.",
    Noun.AGENT: "Exits 6 if an agent is unknown or the prompt was declined.",
    Noun.ALERT: "Exits 6 if an alert is not open.",
    Noun.FLEET: "Exits 6 if the fleet's state does not allow it.",
}


def command_of(verb: Verb) -> click.Command:
    """The command ``fleet-tui NAME``."""

    def command(
        names: tuple[str, ...] = (),
        filter_text: str | None = None,
        everything: bool = False,
        confirm: int | None = None,
        fingerprint: str | None = None,
        fleet: str | None = None,
        *,
        yes: bool,
        dry_run: bool,
        fleet_text: str | None,
        as_json: bool,
        reason: str = "",
        per_minute: int | None = None,
        priority: str = Priority.P2.name,
        text: str = "",
    ) -> int:
        said = Said(reason, per_minute, Priority[priority], text)
        selector = Selector(names, filter_text, everything, fingerprint)
        meant = _tasks_meant(selector) if verb.noun is Noun.TASK else _names_meant(names)
        consent = Consent(yes, confirm, dry_run)
        return act(find_fleet(fleet or fleet_text), verb, said, meant, consent, as_json)

    command.__doc__ = f"{verb.summary}\n\n{verb.help} {_EXIT_CODES[verb.noun]}"
    # An argument of the verb's own comes before its subjects.
    first = [_option(each) for each in verb.options if each.is_positional]
    rest = [_option(each) for each in verb.options if not each.is_positional]
    made: Callable[..., Any] = command
    for option in reversed([*first, *_takes(verb), *rest, fleet_option, json_option]):
        made = option(made)
    return click.command(verb.name)(made)


def __getattr__(name: str) -> click.Command:
    """``hold_command`` and all its like, as the table of commands asks for them."""
    verb = VERBS.get(name.removesuffix("_command"))
    if verb is None or not name.endswith("_command"):
        raise AttributeError(name)
    return command_of(verb)
