"""``fleet-tui resolve``: an operator's verdict on a task that nobody else can judge."""

import click

from fleet_tui.cli.common import (
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    task_named,
)
from fleet_tui.core.commands import Resolve, Verdict


@click.command()
@click.argument("task")
@click.argument("verdict", type=click.Choice([v.value for v in Verdict]))
@click.argument("reason")
@fleet_option
@json_option
def command(task: str, verdict: str, reason: str, fleet_text: str | None, as_json: bool) -> None:
    """Say what became of TASK and why you know: it ran, it did not run, or run it again."""
    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        found = task_named(ledger.load(), task)
    resolve = Resolve(task=found.id, verdict=Verdict(verdict), reason=reason)
    reply = accepted(ask_engine(fleet, [resolve])[0])
    if as_json:
        emit_json("resolved", fleet=fleet.name, task=found.id, verdict=verdict, reply=reply)
    else:
        click.echo(f"{found.label}: {verdict}")
