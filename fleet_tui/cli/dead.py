"""Failed work not yet requeued or dropped, by kind of failure."""

import click

from fleet_tui.cli.common import (
    emit_json,
    emit_table,
    fleet_option,
    json_option,
    ledger_of,
    say,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.cli.selecting import dead_letters_named
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.dead_letters import DeadLetters, group
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
    """List dead letters: tasks that failed or expired and were not yet requeued or dropped.

    Prints one line per kind of failure, or the tasks with a given FINGERPRINT. Exits 1 if no dead
    letter has that fingerprint.
    """
    fleet = look_at(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    now_ms = fleet.now_ms(state)
    if fingerprint is not None:
        groups = [dead_letters_named(state, fingerprint)]
    else:
        groups = group(state.dead_letters.values(), state.fleet)
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
