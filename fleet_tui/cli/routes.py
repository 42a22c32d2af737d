"""``fleet-tui routes``: the latest routing decisions, newest first."""

import click

from fleet_tui.cli.common import (
    Fleet,
    clock,
    emit_json,
    emit_table,
    fleet_option,
    json_option,
    ledger_of,
    task_named,
    watch_option,
    watched,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.console.views.routing.rows import decision_reasons, decision_word
from fleet_tui.core.ids import task_label
from fleet_tui.core.routing.record import DecisionRecord


@click.command()
@fleet_option
@json_option
@click.option("--task", metavar="TASK", help="Only decisions about this task, of any age.")
@click.option("--held", is_flag=True, help="Only decisions that placed nothing.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@watch_option
def routes_command(
    fleet_text: str | None,
    as_json: bool,
    task: str | None,
    held: bool,
    limit: int,
    again_s: float | None,
) -> None:
    """List the latest routing decisions; ``why`` explains one in full."""
    fleet = look_at(fleet_text)
    watched(lambda: _show(fleet, as_json, task, held, limit), again_s)


def _show(fleet: Fleet, as_json: bool, task: str | None, held: bool, limit: int) -> None:
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        decisions = state.decisions
        if task is not None:
            told = ledger.retell(task_named(ledger, state, task).id, until=state.seq)
            decisions = told.decisions if told is not None else ()
    chosen = [d for d in reversed(decisions) if not held or d.decision.chosen is None]
    if as_json:
        emit_json("routes", fleet=fleet.name, decisions=chosen[:limit])
        return
    emit_table(
        ("TIME", "TASK", "PRIO", "AGENT", "POOL", "BY", "WHY"),
        (_row(record) for record in chosen[:limit]),
        empty="No decisions yet.",
    )


def _row(record: DecisionRecord) -> list[str]:
    decision = record.decision
    return [
        clock(record.at_ms),
        task_label(record.task_number),
        record.priority.name,
        decision.chosen or "-",
        decision.pool or "-",
        decision_word(record),
        ", ".join(decision_reasons(record)),
    ]
