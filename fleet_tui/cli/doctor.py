"""``fleet-tui doctor``: problems that could keep a fleet from working, and suggested fixes."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.common import (
    Fleet,
    emit_json,
    find_fleet,
    fleet_argument,
    json_option,
    run,
    say,
)
from fleet_tui.core.text import words

if TYPE_CHECKING:
    from fleet_tui.cli.checkup import Finding


@click.command()
@fleet_argument
@json_option
def doctor_command(fleet_text: str | None, as_json: bool) -> int:
    """Check FLEET's state directory, journal, engine, agents, SSH files and secrets.

    Changes nothing and contacts no host; agent health comes from the running engine. Each line is
    ok, warn or fail, with a suggested fix. Exits 0 if nothing fails, 1 otherwise.
    """
    from fleet_tui.cli.checkup import CheckOutcome

    found = find_fleet(fleet_text)
    findings = list(_findings(found))
    failed = [f for f in findings if f.standing is CheckOutcome.FAIL]
    warned = [f for f in findings if f.standing is CheckOutcome.WARN]
    if as_json:
        emit_json("doctor", fleet=found.name, ok=not failed, findings=findings)
    else:
        for finding in findings:
            say(f"{finding.standing.value:<4} {finding.about}: {finding.text}")
            if finding.todo:
                say(f"     {finding.todo}")
        say(f"{words.plural(len(failed), 'failure')}, {words.plural(len(warned), 'warning')}")
    return ExitCode.FAILED if failed else ExitCode.OK


def _findings(fleet: Fleet) -> "Iterator[Finding]":
    from fleet_tui.cli import checkup
    from fleet_tui.config.load import InvalidFleet, load_fleet

    yield from checkup.versions()
    found = list(checkup.state_directory(fleet))
    yield from found
    if found[0].standing is checkup.CheckOutcome.OK:  # an unsafe directory is not opened
        yield from checkup.journal(fleet)
        yield from checkup.engine(fleet)
        yield from checkup.agents(fleet)
    if fleet.file is None:
        yield checkup.warn("fleet file", "not named", "give its path to check the hosts")
        return
    try:
        loaded = load_fleet(fleet.file, os.environ)
    except InvalidFleet as error:
        count = len(error.problems) + error.not_kept
        text = f"{fleet.file} has {words.plural(count, 'problem')}"
        yield checkup.fail("fleet file", text, "`fleet-tui check` shows them")
        return
    yield checkup.ok("fleet file", f"{fleet.file} is valid")
    yield from run(checkup.ssh(loaded, str(fleet.file)))
    yield from run(checkup.secrets(loaded.spec))
