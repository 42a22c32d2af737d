"""``fleet-tui uncordon``: let agents take work again."""

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
from fleet_tui.core.ledger.commands import Uncordon


@click.command()
@click.argument("agents", nargs=-1, required=True)
@fleet_option
@json_option
def command(agents: tuple[str, ...], fleet_text: str | None, as_json: bool) -> None:
    """Let AGENTS take work again."""
    fleet = find_fleet(fleet_text)
    names = tuple(AgentName(a) for a in agents)
    reply = accepted(ask_engine(fleet, [Uncordon(agents=names)])[0])
    if as_json:
        emit_json("uncordoned", fleet=fleet.name, agents=names, reply=reply)
    else:
        say(f"back in routing: {', '.join(names)}")
