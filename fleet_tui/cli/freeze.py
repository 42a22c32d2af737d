"""``fleet-tui freeze``: start nothing until a thaw; what runs goes on, what is submitted waits."""

import click

from fleet_tui.cli.common import (
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    say,
)
from fleet_tui.core.ledger.commands import Freeze


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
@click.option("--reason", default="", help="Why, for the record.")
def command(fleet: str | None, fleet_text: str | None, as_json: bool, reason: str) -> None:
    """Let the fleet's engine start nothing until `fleet-tui thaw`, also after a restart.

    Running work goes on and is followed; what is submitted is stored and waits. Freezing a frozen
    fleet changes nothing.
    """
    found = find_fleet(fleet or fleet_text)
    reply = accepted(ask_engine(found, [Freeze(reason=reason)])[0])
    if as_json:
        emit_json("frozen", fleet=found.name, reply=reply)
    else:
        say(f"{found.name} is frozen: nothing is started until `fleet-tui thaw`")
