"""``fleet-tui keys``: every key of the console, from the registry that the console itself uses."""

import click

from fleet_tui.cli.common import emit_json, emit_table, json_option


@click.command()
@json_option
def keys_command(as_json: bool) -> None:
    """List the console's keys. Lower-case keys change nothing in the fleet; UPPER-CASE keys act."""
    from fleet_tui.console.actions.action import Group, key_text, keys_text
    from fleet_tui.console.actions.registry import ACTIONS

    if as_json:
        emit_json(
            "keys",
            keys=[
                {
                    "action": action.name,
                    "keys": [key_text(key) for key in action.keys],
                    "title": action.title,
                    "help": action.help,
                    "group": action.group,
                    "effect": action.effect,
                }
                for action in ACTIONS
            ],
        )
        return
    for group in Group:
        members = [action for action in ACTIONS if action.group is group]
        if members:
            click.echo(f"\n{group}")
            rows = [(f"  {keys_text(a)}", a.title, a.help) for a in members]
            emit_table(("  KEYS", "DOES", ""), rows, empty="")
