"""What check says of a fleet file in the working directory, with the operator's own SSH files."""

import json
from pathlib import Path

import click
from click.testing import CliRunner, Result

from fleet_tui.cli.fleet_file import check_command

HEAD = "version: 1\nfleet: f\ndefaults: {port: 1, token: secret:env:T}\n"


def run(command: click.Command, *arguments: str) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(command, list(arguments))


def fleet(*hosts: str, head: str = HEAD) -> None:
    """A fleet file with an agent for each host: a, b, c and so on."""
    agents = "".join(f"  {chr(97 + at)}: {{host: {host}}}\n" for at, host in enumerate(hosts))
    Path("fleet.yaml").write_text(f"{head}agents:\n{agents}")


def found(*arguments: str) -> list[tuple[str, int | None, str]]:
    """What check says: severity, line and message."""
    document = json.loads(run(check_command, "--json", *arguments).stdout)
    return [(each["severity"], each["line"], each["message"]) for each in document["problems"]]
