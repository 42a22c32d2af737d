"""``fleet-tui thaw``: let a frozen fleet start work again."""

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
from fleet_tui.core.ledger.commands import Thaw


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
def command(fleet: str | None, fleet_text: str | None, as_json: bool) -> None:
    """Let the fleet's engine start work again after a freeze, an operator's or its own.

    Exit 6 when it was not frozen.
    """
    found = find_fleet(fleet or fleet_text)
    reply = accepted(ask_engine(found, [Thaw()])[0])
    if as_json:
        emit_json("thawed", fleet=found.name, reply=reply)
    else:
        say(f"{found.name} starts work again")
