"""``fleet-tui backup``: a proved copy of a fleet's ledger, made while its engine runs."""

import time
from pathlib import Path

import click

from fleet_tui.base.paths import backups_dir, private_dir
from fleet_tui.cli.common import emit_json, find_fleet, fleet_option, json_option, ledger_of, say
from fleet_tui.core.text import words


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help="A directory that is not there yet; default: one in the user's data directory.",
)
def command(fleet: str | None, fleet_text: str | None, as_json: bool, target: Path | None) -> None:
    """Copy the fleet's ledger, samples and logs into a directory of its own.

    The engine may run. Every event of the copy is checked against the chain of hashes before it is
    called good; a ledger that is not what was written is not copied (exit 1, with the range).
    """
    from fleet_tui.journal.upkeep.backups import back_up

    found = find_fleet(fleet or fleet_text)
    with ledger_of(found):  # says so, as every other command does, when there is none
        if target is None:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            target = private_dir(backups_dir()) / f"{found.directory.name}-{stamp}"
    done = back_up(found.directory, target)
    if as_json:
        emit_json("backup", fleet=found.name, backup=done)
        return
    say(f"{done.path}: {done.events} events up to {done.last_seq}, {words.size(done.bytes)}")
    click.echo("every event was checked; `fleet-tui restore` puts it back")
    for name in done.left_out:
        say(f"note: {name} cannot be read and is not in it; the ledger is", err=True)
