"""``fleet-tui schema``: the JSON Schema of fleet files, for editors."""

import json
from pathlib import Path

import click

from fleet_tui.cli.common import say
from fleet_tui.cli.files import write_new
from fleet_tui.config.schema import fleet_schema


@click.command("schema")
@click.option(
    "--write",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to a file, such as fleet.schema.json, instead of standard output.",
)
def command(target: Path | None) -> None:
    """Print the JSON Schema of fleet files.

    Editors with a YAML language server use it when the first line of the fleet file is
    `# yaml-language-server: $schema=./fleet.schema.json`.
    """
    text = json.dumps(fleet_schema(), indent=2) + "\n"
    if target is None:
        click.echo(text, nl=False)
        return
    write_new(target, text, force=True)
    say(f"wrote {target}", err=True)
