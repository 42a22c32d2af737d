"""``fleet-tui init``: a commented fleet file to start from."""

from pathlib import Path

import click

from fleet_tui.cli.common import say
from fleet_tui.cli.files import write_new
from fleet_tui.config.starter import STARTER


@click.command("init")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("fleet.yaml"),
    show_default=True,
    help="Where to write it.",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def command(target: Path, force: bool) -> None:
    """Write a commented fleet file to start from."""
    write_new(target, STARTER, force=force)
    say(f"wrote {target}")
    say(f"next: put your hosts in, then  fleet-tui check {target}", err=True)
