"""``fleet-tui cordon``: keep agents out of routing; what they run goes on."""

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
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.commands import Cordon


@click.command()
@click.argument("agents", nargs=-1, required=True)
@fleet_option
@json_option
@click.option("--reason", default="", help="Why, for the record.")
def command(agents: tuple[str, ...], fleet_text: str | None, as_json: bool, reason: str) -> None:
    """Keep AGENTS out of routing until they are uncordoned. Running work is not touched."""
    fleet = find_fleet(fleet_text)
    names = tuple(AgentName(a) for a in agents)
    reply = accepted(ask_engine(fleet, [Cordon(agents=names, reason=reason)])[0])
    if as_json:
        emit_json("cordoned", fleet=fleet.name, agents=names, reply=reply)
    else:
        say(f"cordoned: {', '.join(names)}")
