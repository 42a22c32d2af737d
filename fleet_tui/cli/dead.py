"""Failed work that nobody has dealt with: list it by what went wrong, run it again, dismiss it."""

from collections.abc import Sequence

import click

from fleet_tui.base.errors import FleetError
from fleet_tui.cli.acting import Deed, DeedFor, acts_on_tasks, reason_option
from fleet_tui.cli.common import (
    emit_json,
    emit_table,
    fleet_option,
    json_option,
    ledger_of,
    say,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.cli.selecting import DEAD_HINT
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Drop, Requeue
from fleet_tui.core.tasks.dead_letters import MAX_PER_MINUTE, DeadLetters, group
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line


@click.command()
@click.argument("fingerprint", required=False)
@fleet_option
@json_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
def dead_command(
    fingerprint: str | None, fleet_text: str | None, as_json: bool, limit: int
) -> None:
    """List dead letters: tasks that failed or expired and that nobody requeued or dropped.

    One line for each way of failing; with its FINGERPRINT, the tasks that failed so. Exit 1 when
    nothing has that fingerprint.
    """
    fleet = look_at(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    groups = group(state.dead_letters.values(), state.fleet)
    now_ms = fleet.now_ms(state)
    if fingerprint is not None:
        found = next((g for g in groups if g.fingerprint == fingerprint.lower()), None)
        if found is None:
            raise FleetError(f"nothing matched: no dead letters {fingerprint!r}", hint=DEAD_HINT)
        groups = [found]
    if as_json:
        emit_json(
            "dead",
            fleet=fleet.name,
            at_ms=now_ms,
            count=len(state.dead_letters),
            groups=[_document(g, state, limit) for g in groups],
        )
    elif fingerprint is not None:
        _print_one(groups[0], state, now_ms, limit)
    else:
        _print(groups, now_ms, limit)


def _document(letters: DeadLetters, state: FleetState, limit: int) -> dict[str, object]:
    return {
        "fingerprint": letters.fingerprint,
        "kind": letters.kind,
        "count": letters.count,
        "first_ms": letters.first_ms,
        "last_ms": letters.last_ms,
        "clients": letters.clients,
        "tasks": [{"task": t, "label": state.dead_letters[t].label} for t in letters.tasks[:limit]],
        "sample": letters.sample,
    }


def _print(groups: list[DeadLetters], now_ms: int, limit: int) -> None:
    emit_table(
        ("FINGERPRINT", "COUNT", "FIRST", "LAST", "CLIENTS", "SAMPLE", "WHAT WENT WRONG"),
        (
            (
                g.fingerprint,
                str(g.count),
                words.age(g.first_ms, now_ms),
                words.age(g.last_ms, now_ms),
                safe_line(", ".join(g.clients) or "-", 30),
                g.sample.label,
                safe_line(g.kind, 100),
            )
            for g in groups[:limit]
        ),
        empty="No dead letters.",
    )
    if len(groups) > limit:
        say(f"{len(groups) - limit} more; --limit shows them")


def _print_one(letters: DeadLetters, state: FleetState, now_ms: int, limit: int) -> None:
    say(f"{letters.fingerprint}  {words.plural(letters.count, 'task')}  {letters.kind}")
    tasks = [state.dead_letters[task] for task in reversed(letters.tasks)]
    emit_table(
        ("TASK", "CLIENT", "ENDED", "TRIES", "AGENT", "WHY", "TEXT"),
        (
            (
                t.label,
                t.spec.client or "-",
                words.age(t.ended_at_ms, now_ms),
                str(len(t.attempts)),
                t.attempt.agent if t.attempt is not None else "-",
                safe_line(t.reason, 60),
                safe_line(t.spec.shown, 40),
            )
            for t in tasks[:limit]
        ),
        empty="",
    )
    if len(tasks) > limit:
        say(f"{len(tasks) - limit} more; --limit shows them")
    say(f"fleet-tui requeue --fingerprint {letters.fingerprint} runs them again")


@click.command()
@acts_on_tasks(
    click.option(
        "--per-minute",
        type=click.IntRange(1, MAX_PER_MINUTE),
        metavar="N",
        help="Spread them out: so many a minute.",
    ),
    reason_option,
    of_dead_letters=True,
)
def requeue_command(per_minute: int | None, reason: str) -> DeedFor:
    """Run TASKS (t-42, 42 or ids) that failed, expired or were cancelled again.

    Says first how many they are, whose, and how long it takes. Exit 1 when nothing matched, 5 when
    some could not be requeued, 6 when none could or nobody said yes.
    """

    def deed(tasks: Sequence[Task]) -> Deed:
        how = ""
        if per_minute is not None and len(tasks) > 1:
            takes = words.about((len(tasks) - 1) * 60_000 / per_minute)
            how = f", {words.grouped(per_minute)} a minute: done in about {takes}"
        return Deed(
            "requeued",
            lambda ids: Requeue(tasks=ids, per_minute=per_minute, reason=reason),
            how=how,
            whole=per_minute is not None,
        )

    return deed


@click.command()
@acts_on_tasks(
    click.option("--reason", required=True, help="Why nothing more is needed; it is recorded."),
    of_dead_letters=True,
)
def drop_command(reason: str) -> Deed:
    """Decide that dead letters TASKS (t-42, 42 or ids) need nothing more. They stay in the journal.

    Exit 1 when nothing matched, 5 when some are no dead letters, 6 when none is or nobody said yes.
    """
    return Deed("dropped", lambda ids: Drop(tasks=ids, reason=reason))
