"""Tasks: list them; give a verdict on one."""

import time
from collections.abc import Iterable
from typing import NamedTuple

import click

from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import (
    Fleet,
    accepted,
    ask_engine,
    emit_json,
    emit_table,
    engine_gone,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    offset_minutes,
    say,
    task_named,
    watch_option,
    watched,
)
from fleet_tui.cli.confirming import need_somebody
from fleet_tui.cli.recordings import look_at
from fleet_tui.cli.selecting import need_open_to, passing
from fleet_tui.console.views.tasks.reasons import reasons
from fleet_tui.core.ids import task_label, task_number
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.tasks.verdicts import verdict_on
from fleet_tui.core.tasks.words import is_held, listed, task_word
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.verbs.tasks import RESOLVE

TITLES = ("TASK", "PRIO", "STATE", "AGENT", "CLIENT", "AGE", "TRIES", "COST", "WHY", "TEXT")
MAX_LOOKED_UP = 5_000
"""Tasks that one command looks up in the ledger, at about 4 ms each."""
PHASES = [phase.value for phase in TaskPhase]


@click.command()
@fleet_option
@json_option
@click.option("--phase", type=OneOf(PHASES), multiple=True, help="Only these phases.")
@click.option("--held", is_flag=True, help="Only tasks that are held, or that no agent can take.")
@click.option(
    "--dead", is_flag=True, help=("Only dead letters: failed tasks not yet requeued or dropped.")
)
@click.option("--filter", "filter_text", metavar="EXPR", help="Only tasks that match this filter.")
@click.option(
    "--before",
    metavar="TASK",
    help=("Only tasks older than this one, from the ledger, newest first."),
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@watch_option
def tasks_command(
    fleet_text: str | None,
    as_json: bool,
    phase: tuple[str, ...],
    held: bool,
    dead: bool,
    filter_text: str | None,
    before: str | None,
    limit: int,
    again_s: float | None,
) -> None:
    """List tasks: those that need an operator first, then what runs, waits and has ended.

    Takes the console's filters: state:held prio:P0 client:acme wait>1m label.team:ops words.
    """
    fleet = look_at(fleet_text)
    wanted = ListedTasks(phase, held, dead, filter_text)
    if before is not None:
        _show_older(fleet, as_json, wanted, before, limit)
        return
    watched(lambda: _show(fleet, as_json, wanted, limit), again_s)


class ListedTasks(NamedTuple):
    """Which tasks are listed."""

    phases: tuple[str, ...]
    held: bool
    dead: bool
    filter_text: str | None


def _show(fleet: Fleet, as_json: bool, wanted: ListedTasks, limit: int) -> None:
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    if gone := engine_gone(fleet, state):
        say(gone, err=True)
    now_ms = fleet.now_ms(state)
    chosen = _those(listed(state.tasks()), state, wanted, now_ms)
    if as_json:
        emit_json(
            "tasks", fleet=fleet.name, at_ms=now_ms, matching=len(chosen), tasks=chosen[:limit]
        )
        return
    emit_table(
        TITLES,
        (_row(task, state, now_ms) for task in chosen[:limit]),
        empty="No tasks match." if any(wanted) else "No tasks yet; fleet-tui submit adds one.",
    )
    if len(chosen) > limit:
        say(f"{len(chosen) - limit} more; --limit shows them")
    older = state.totals.submitted - len(state.open_tasks) - state.ended_count
    if older > 0 and not wanted.dead and not wanted.held:
        before = task_label(_newest_forgotten(state) + 1)
        say(f"{words.plural(older, 'older task')} in the ledger; --before {before} lists them")


def _newest_forgotten(state: FleetState) -> int:
    """The number of the newest task that is only in the ledger."""
    known = {task.number for task in state.tasks()}
    return next((n for n in range(state.totals.submitted, 0, -1) if n not in known), 0)


def _show_older(fleet: Fleet, as_json: bool, wanted: ListedTasks, before: str, limit: int) -> None:
    """Look up tasks in the ledger one after the other, up to a limit."""
    chosen: list[Task] = []
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        now_ms = fleet.now_ms(state)
        newest = state.totals.submitted
        number = min(task_number(before) or task_named(ledger, state, before).number, newest + 1)
        known = {task.number: task for task in state.tasks()}
        looked_to = max(1, number - MAX_LOOKED_UP)
        for n in range(number - 1, looked_to - 1, -1):
            task = known.get(n) or ledger.find_task(task_label(n), until=state.seq)
            chosen += _those([task] if task is not None else [], state, wanted, now_ms)
            if len(chosen) == limit:
                looked_to = n
                break
    if as_json:
        emit_json("tasks", fleet=fleet.name, at_ms=now_ms, matching=len(chosen), tasks=chosen)
        return
    emit_table(TITLES, (_row(task, state, now_ms) for task in chosen), empty="No tasks match.")
    if looked_to > 1:
        say(f"older ones: --before {task_label(looked_to)}")


def _those(
    tasks: Iterable[Task], state: FleetState, wanted: ListedTasks, now_ms: int
) -> list[Task]:
    chosen = [task for task in tasks if _is_wanted(task, state, wanted)]
    if wanted.filter_text is not None:
        chosen = passing(chosen, wanted.filter_text, now_ms)
    return chosen


def _is_wanted(task: Task, state: FleetState, wanted: ListedTasks) -> bool:
    if wanted.phases and task.phase.value not in wanted.phases:
        return False
    if wanted.dead and task.id not in state.dead_letters:
        return False
    return not wanted.held or is_held(task)


def _row(task: Task, state: FleetState, now_ms: int) -> list[str]:
    last = task.attempt
    told = notes(state, task, now_ms, offset_minutes(now_ms))
    return [
        task.label,
        task.spec.priority.name,
        task_word(task),
        last.agent if last is not None else "-",
        task.spec.client or "-",
        words.age(task.submitted_at_ms, now_ms),
        str(len(task.attempts)),
        words.cost(task.cost_microusd, is_unknown=task.has_unknown_cost),
        safe_line(", ".join(reasons(task, told)), 80),
        safe_line(task.spec.shown, 40),
    ]


@click.command()
@click.argument("task")
@click.argument("verdict", required=False, type=OneOf([v.value for v in Verdict]))
@click.argument("reason", required=False)
@fleet_option
@json_option
def resolve_command(
    task: str, verdict: str | None, reason: str | None, fleet_text: str | None, as_json: bool
) -> None:
    """Give a verdict on TASK, with the reason: it ran, it did not run, or run it again.

    Prints the evidence first. On a terminal, prompts for missing arguments; elsewhere VERDICT and
    REASON are required.
    """
    # The console's pages measure text with a library that the list of tasks does not need.
    from fleet_tui.cli.why import pen_for
    from fleet_tui.console.text.document import Section, plain
    from fleet_tui.console.views.tasks.detail import answer_sections
    from fleet_tui.console.views.tasks.evidence import evidence

    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = task_named(ledger, state, task)
    need_open_to(RESOLVE, state, found)
    now_ms = time.time_ns() // 1_000_000
    facts = Section("", tuple(evidence(found, pen_for(found, now_ms), now_ms)))
    known = [text.strip() for text in plain([facts, *answer_sections(found)])]
    if not as_json:
        say(f"{found.label}: {safe_line(found.spec.shown, 200)}", err=True)
        for text in known:
            say(f"  {text}", err=True)
    if verdict is None or reason is None:
        need_somebody("give VERDICT and REASON: fleet-tui resolve TASK ran 'its output is there'")
        choice = OneOf([v.value for v in Verdict])
        verdict = verdict or click.prompt("Verdict", type=choice, err=True)
        reason = reason or click.prompt("Reason", err=True)
    reply = accepted(ask_engine(fleet, [verdict_on(found, Verdict(verdict), reason)])[0])
    if as_json:
        emit_json(
            "resolved",
            fleet=fleet.name,
            task=found.id,
            verdict=verdict,
            evidence=known,
            reply=reply,
        )
    else:
        say(f"{found.label}: {Verdict(verdict).text}, recorded")
