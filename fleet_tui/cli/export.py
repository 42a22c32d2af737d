"""``fleet-tui export``: a fleet's ledger as one file that travels."""

import time
from pathlib import Path

import click

from fleet_tui.cli.common import (
    emit_json,
    find_fleet,
    fleet_option,
    instant,
    json_option,
    ledger_of,
    say,
)
from fleet_tui.cli.files import recording_target
from fleet_tui.core.text import words


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it.",
)
@click.option("--since", metavar="TIME", help="Start here: 12:04, 10m (ago).")
@click.option("--until", metavar="TIME", help="End here.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(
    fleet: str | None,
    fleet_text: str | None,
    as_json: bool,
    output: Path | None,
    since: str | None,
    until: str | None,
    force: bool,
) -> None:
    """Write a recording (.fleetrec) that `fleet-tui review` opens anywhere, offline.

    What looks like a secret is redacted on the way out.
    """
    from fleet_tui.base.redact import redact
    from fleet_tui.journal.recordings.recording import export

    found = find_fleet(fleet or fleet_text)
    name = time.strftime(f"{found.name}-%Y%m%d-%H%M%S.fleetrec")
    with ledger_of(found):  # says so, as every other command does, when there is none
        path = recording_target(output, name, force=force)
    done = export(found.directory, path, instant(since), instant(until), redact=redact)
    if as_json:
        emit_json(
            "export",
            fleet=found.name,
            path=str(path),
            events=done.events,
            samples=done.samples,
            lines=done.lines,
            bytes=done.bytes,
        )
    else:
        say(f"{path}: {done.events} events, {done.lines} lines, {words.size(done.bytes)}")
