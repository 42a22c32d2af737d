"""Doing one thing to many tasks: say what it means, ask, send, say what came of it."""

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

import click

from fleet_tui.base.errors import ExitCode, Unreachable, UsageError
from fleet_tui.base.errors import Refused as RefusedError
from fleet_tui.cli.common import (
    Fleet,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    operator,
    say,
)
from fleet_tui.cli.confirming import confirm, confirm_count
from fleet_tui.cli.selecting import (
    Selector,
    fingerprint_option,
    nothing_matched,
    select,
    select_options,
)
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decided import LeftOut, ended_long_ago
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Impact, Plan, impact_words, plan, subjects, together
from fleet_tui.core.tasks.commands import MAX_NAMED_TASKS
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words

MAX_LEFT_OUT_TOLD = 20


class Deed(NamedTuple):
    """What is done to tasks."""

    done: str
    """``held``: also the JSON schema's name."""
    command: Callable[[tuple[TaskId, ...]], Command]
    how: str = ""
    """What else there is to know before: ``, 60 a minute: done in about 4m``."""
    asks: bool = True
    """Whether a yes is needed also where every task was named."""
    goes_on: str = ""
    """``being cancelled``, where it is only asked for; empty where it is done."""
    whole: bool = False
    """Whether it cannot be sent in parts."""


class Consent(NamedTuple):
    """What the operator said beforehand."""

    yes: bool
    confirm: int | None
    dry_run: bool


DeedFor = Callable[[Sequence[Task]], Deed]
"""What is done, where that depends on the tasks: how long it takes, say."""


def act(
    fleet: Fleet,
    selector: Selector,
    deed: DeedFor,
    consent: Consent,
    as_json: bool,
) -> int:
    """Do it to the tasks that are meant and that it can be done to. Exit 1 when nothing matched, 5
    when some named ones were left out, 6 when all were or nobody consented."""
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        chosen = select(ledger, state, selector)
    plans, left_out = _planned(state, chosen, deed(chosen))
    if not selector.names_each:
        left_out = []  # a description means those that it can be done to
    if not plans:
        if not left_out:
            raise nothing_matched()
        raise RefusedError(left_out[0].why.text, hint=left_out[0].why.hint)
    meant = {task for each in plans for task in subjects(each.command)}
    able = [task for task in chosen if task.id in meant]
    doing = deed(able)
    if doing.whole and len(able) > MAX_NAMED_TASKS:
        raise UsageError(
            f"{len(able):,} tasks; at most {MAX_NAMED_TASKS:,} at a time", hint="use --filter"
        )
    lost = impact_words(together([each.impact for each in plans]))
    impact = " ".join([_impact(able, doing) + ("." if lost else ""), *lost])
    changed = 0
    refused: Refused | None = None
    if not consent.dry_run:
        if selector.everything:
            question = f"{impact}. Type how many tasks that is"
            confirm_count(question, len(able), typed=consent.confirm)
        elif doing.asks or not selector.names_each:
            if not consent.yes:
                say(impact, err=True)
            confirm("Do it?", yes=consent.yes)
        commands = [doing.command(_tasks(each)) for each in plans]
        changed, refused = _send(fleet, commands, [each.impact for each in plans])
    if as_json:
        emit_json(
            doing.done,
            fleet=fleet.name,
            dry_run=consent.dry_run,
            impact=impact,
            tasks=[{"task": task.id, "label": task.label} for task in able],
            changed=changed,
            left_out=[{"label": each.label, "refused": each.why} for each in left_out],
            refused=refused,
        )
    elif consent.dry_run:
        say(f"would be {impact}")
    else:
        which = _named(able) if changed == len(able) else words.plural(changed, "task")
        say(f"{doing.goes_on or doing.done}: {which}")
    for each in left_out[:MAX_LEFT_OUT_TOLD]:
        say(f"{each.label}: {each.why.text}", err=True)
    if refused is not None:
        say(refused.text, err=True)
    whole = not left_out and (consent.dry_run or changed == len(able))
    return ExitCode.OK if whole else ExitCode.PARTIAL


def _planned(
    state: FleetState, chosen: Sequence[Task], doing: Deed
) -> tuple[list[Plan], list[LeftOut]]:
    """What would be done, MAX_NAMED_TASKS at a time, and why nothing is to the others."""
    now_ms = time.time_ns() // 1_000_000
    left_out = [
        LeftOut(task.id, task.label, ended_long_ago(task))
        for task in chosen
        if state.task(task.id) is None
    ]
    known = [task for task in chosen if state.task(task.id) is not None]
    plans: list[Plan] = []
    for part in _batched(known, MAX_NAMED_TASKS):
        command = doing.command(tuple(task.id for task in part))
        match plan(state, operator(), command, now_ms):
            case Plan() as found:
                plans.append(found)
                left_out += found.left_out
            case Refused() as why:
                left_out += [LeftOut(task.id, task.label, why) for task in part]
    return plans, left_out


def _batched(tasks: Sequence[Task], most: int) -> list[Sequence[Task]]:
    """So many at a time."""
    return [tasks[n : n + most] for n in range(0, len(tasks), most)]


def _tasks(of: Plan) -> tuple[TaskId, ...]:
    return tuple(TaskId(task) for task in subjects(of.command))


def _impact(able: Sequence[Task], doing: Deed) -> str:
    clients = {task.spec.client for task in able if task.spec.client is not None}
    of = f" of {words.plural(len(clients), 'client')}" if clients else ""
    return f"{doing.done}: {_named(able)}{of}{doing.how}"


def _named(tasks: Sequence[Task]) -> str:
    if len(tasks) <= 3:
        return ", ".join(task.label for task in tasks)
    return words.plural(len(tasks), "task")


def _send(
    fleet: Fleet, commands: Sequence[Command], shown: Sequence[Impact]
) -> tuple[int, Refused | None]:
    """How many were changed, and the first refusal. Raises what the engine said when none was."""
    replies = ask_engine(fleet, commands, shown)
    changed = sum(r.changed or 0 for r in replies if isinstance(r, Accepted))
    refused = next((r for r in replies if isinstance(r, Refused)), None)
    if refused is not None and not changed:
        if refused.code.is_unanswered:
            raise Unreachable(refused.text, hint=refused.hint)
        raise RefusedError(refused.text, hint=refused.hint)
    return changed, refused


Option = Callable[[Callable[..., Any]], Callable[..., Any]]
"""A click decorator that adds an option or an argument."""


def reason_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--reason``."""
    return click.option("--reason", default="", help="Why, for the record.")(command)


def acts_on_tasks(
    *own: Option, of_dead_letters: bool = False
) -> Callable[[Callable[..., Deed | DeedFor]], Callable[..., int]]:
    """Make a command for many tasks of a function that says what is done to them.

    The function gets the values of the command's ``own`` options. All that every such command has
    is added: which tasks are meant (``of_dead_letters``: also by how they failed), the operator's
    consent, ``--fleet`` and ``--json``.
    """

    def command_of(deed: Callable[..., Deed | DeedFor]) -> Callable[..., int]:
        @wraps(deed)
        def command(
            names: tuple[str, ...],
            filter_text: str | None,
            everything: bool,
            yes: bool,
            confirm: int | None,
            dry_run: bool,
            fleet_text: str | None,
            as_json: bool,
            fingerprint: str | None = None,
            **values: Any,
        ) -> int:
            said = deed(**values)
            selector = Selector(names, filter_text, everything, fingerprint)
            consent = Consent(yes, confirm, dry_run)
            deed_for = (lambda _: said) if isinstance(said, Deed) else said
            return act(find_fleet(fleet_text), selector, deed_for, consent, as_json)

        options = [select_options, *own, fleet_option, json_option]
        if of_dead_letters:
            options.insert(1, fingerprint_option)
        made: Callable[..., int] = command
        for option in reversed(options):
            made = option(made)
        return made

    return command_of
