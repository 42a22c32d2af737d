"""``fleet-tui stop``: end a fleet's engine in good order."""

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
from fleet_tui.core.commands import StopEngine


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
@click.option("--reason", default="", help="Why, for the record.")
def command(fleet: str | None, fleet_text: str | None, as_json: bool, reason: str) -> None:
    """Stop the fleet's engine. What runs at the agents goes on; the next engine finds it again."""
    found = find_fleet(fleet or fleet_text)
    reply = accepted(ask_engine(found, [StopEngine(reason=reason)])[0])
    if as_json:
        emit_json("stopping", fleet=found.name, reply=reply)
        return
    say(f"the engine of {found.name} is stopping")
