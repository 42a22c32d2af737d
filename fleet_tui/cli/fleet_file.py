"""A fleet file: check it, write one to start from, print its schema."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import assert_never

import click

from fleet_tui.base.errors import ExitCode
from fleet_tui.base.paths import has_home
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import emit_json, run, say
from fleet_tui.cli.files import write_new
from fleet_tui.config.problems import (
    Problem,
    ProblemSeverity,
    as_github,
    as_json,
    as_text,
    count_of,
    summary,
    visible,
)
from fleet_tui.config.starter import STARTER
from fleet_tui.core.fleet import FleetSpec, LocalAgent


class Form(StrEnum):
    """The output format of problems."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@click.command("check")
@click.argument(
    "fleet",
    required=False,
    # Problems with the file are reported like all others about it, not by click.
    type=click.Path(path_type=Path, readable=False),
    envvar="FLEET_TUI_FLEET",
)
@click.option(
    "--format",
    "form",
    type=OneOf(each.value for each in Form),
    default=Form.TEXT.value,
    help="text for people, json for programs, github for annotations in a pull request.",
)
@click.option("--json", "as_document", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@click.pass_context
def check_command(
    context: click.Context, fleet: Path | None, form: str, as_document: bool, strict: bool
) -> None:
    """Check a fleet file (./fleet.yaml if none is named).

    Reports every problem at once. Exits 0 if the file is valid, 3 if not.
    """
    from fleet_tui.cli.ssh_problems import fleet_problems, ssh_problems
    from fleet_tui.config.load import InvalidFleet, load_fleet

    path = fleet or Path("fleet.yaml")
    spec: FleetSpec | None = None
    problems: tuple[Problem, ...]
    not_kept = 0
    try:
        loaded = load_fleet(path, os.environ)
        spec = loaded.spec
        problems = (*loaded.warnings, *run(fleet_problems(loaded, str(path))))
    except InvalidFleet as invalid:
        problems = (*invalid.problems, *run(ssh_problems(invalid.hosts)))
        not_kept = invalid.not_kept
    warned = any(each.severity is ProblemSeverity.WARNING for each in problems)
    wrong = any(each.severity is ProblemSeverity.ERROR for each in problems)
    usable = spec is not None and not wrong and not (strict and warned)
    said = Form.JSON if as_document else Form(form)
    match said:
        case Form.JSON:
            emit_json("check", **_document(path, spec, problems, not_kept, usable))
        case Form.GITHUB:
            for problem in problems:
                say(as_github(problem))
        case Form.TEXT:
            _print_text(path, spec, problems, not_kept, usable)
        case _:
            assert_never(said)
    context.exit(ExitCode.OK if usable else ExitCode.INVALID_CONFIG)


def _print_text(
    path: Path,
    spec: FleetSpec | None,
    problems: tuple[Problem, ...],
    not_kept: int,
    usable: bool,
) -> None:
    for problem in problems:
        for line in as_text(problem).split("\n"):
            say(line)
    counted = summary(problems, not_kept)
    if spec is None:
        say(f"{counted}. Nothing was started.")
        return
    for name, agent in spec.agents.items():
        if isinstance(agent.kind, LocalAgent):
            program = visible(" ".join(agent.kind.command))
            say(f"note: {name} runs on this machine, as you: {program}")
    if not has_home():
        say("note: this user has no home directory, so no ~/.ssh/config was read")
    wrong = any(each.severity is ProblemSeverity.ERROR for each in problems)
    conclusion = "ok" if usable else "not ok" if wrong else "not ok, warnings count as errors"
    say(f"{visible(str(path))}: {conclusion}{f' ({counted})' if counted else ''}: {size(spec)}")


def size(spec: FleetSpec) -> str:
    """``fleet prod, 20 agents in 3 pools on 7 hosts, 80 slots``."""
    slots = sum(agent.slots for agent in spec.agents.values())
    parts = [
        count_of(len(spec.agents), "agent") + " in " + count_of(len(spec.pools), "pool"),
        count_of(slots, "slot"),
    ]
    if spec.hosts:
        parts[0] += " on " + count_of(len(spec.hosts), "host")
    return f"fleet {spec.name}, {', '.join(parts)}"


def _document(
    path: Path,
    spec: FleetSpec | None,
    problems: tuple[Problem, ...],
    not_kept: int,
    usable: bool,
) -> dict[str, object]:
    fleet: dict[str, object] | None = None
    if spec is not None:
        fleet = {
            "name": spec.name,
            "digest": spec.digest,
            "agents": len(spec.agents),
            "pools": len(spec.pools),
            "hosts": len(spec.hosts),
            "run_on_this_machine": [
                name for name, agent in spec.agents.items() if isinstance(agent.kind, LocalAgent)
            ],
        }
    return {
        "file": visible(str(path)),
        "ok": usable,
        "fleet": fleet,
        "problems": [as_json(problem) for problem in problems],
        "problems_not_shown": not_kept,
    }


@click.command("init")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("fleet.yaml"),
    show_default=True,
    help="Output file.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def init_command(target: Path, force: bool) -> None:
    """Write a commented starter fleet file."""
    write_new(target, STARTER, force=force)
    say(f"wrote {target}")
    say(f"next: add your hosts, then run  fleet-tui check {target}", err=True)


@click.command("schema")
@click.option(
    "--write",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to a file, such as fleet.schema.json, instead of standard output.",
)
def schema_command(target: Path | None) -> None:
    """Print the JSON Schema of fleet files.

    Editors with a YAML language server use it when the first line of the fleet file is
    `# yaml-language-server: $schema=./fleet.schema.json`.
    """
    from fleet_tui.config.schema import fleet_schema

    text = json.dumps(fleet_schema(), indent=2) + "\n"
    if target is None:
        click.echo(text, nl=False)
        return
    write_new(target, text, force=True)
    say(f"wrote {target}", err=True)
