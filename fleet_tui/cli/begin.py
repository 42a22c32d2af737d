"""First run on a terminal: no fleet was named and there is no fleet file, so the console offers
ways to begin and the commands for them."""

import os
from pathlib import Path
from typing import assert_never

import click

from fleet_tui.cli.common import DEFAULT_FILE, FLEET_VARIABLE
from fleet_tui.cli.screen import Screen


def is_first_time(fleet: str | None) -> bool:
    """Whether no fleet was named and the directory has no fleet file."""
    return not (fleet or os.environ.get(FLEET_VARIABLE) or Path(DEFAULT_FILE).exists())


def begin(context: click.Context, screen: Screen) -> int:
    """Ask, and carry out the choice; returns the exit code."""
    from fleet_tui.console.views.help.first_run import Beginning, ask

    match ask(screen.theme):
        case None:
            return 0
        case Beginning.DEMO:
            from fleet_tui.cli.demo import demo_command as demo

            code = context.invoke(
                demo,
                ascii_glyphs=screen.ascii_glyphs,
                theme=screen.theme,
                low_bandwidth=screen.low_bandwidth,
                no_mouse=not screen.mouse,
                bell=screen.bell,
            )
            return code if isinstance(code, int) else 0
        case Beginning.SSH_CONFIG:
            from fleet_tui.cli.import_ import from_ssh_config

            context.invoke(from_ssh_config, target=Path(DEFAULT_FILE))
        case Beginning.ANSIBLE:
            from fleet_tui.cli.import_ import from_ansible

            inventory = click.prompt("inventory", type=click.Path(path_type=Path, exists=True))
            context.invoke(from_ansible, inventory=inventory, target=Path(DEFAULT_FILE))
        case Beginning.EXAMPLE:
            from fleet_tui.cli.fleet_file import init_command as init

            context.invoke(init, target=Path(DEFAULT_FILE))
            return 0
        case never:
            assert_never(never)
    click.echo("next: review it, then run  fleet-tui check  and  fleet-tui", err=True)
    return 0
