"""``fleet-tui restore``: put a backup in place of a fleet's ledger."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet_tui.cli.common import emit_json, find_fleet, json_option, run, say
from fleet_tui.core.text import words

if TYPE_CHECKING:
    from fleet_tui.core.ledger.state import FleetState
    from fleet_tui.journal.upkeep.restoring import Restored


@click.command()
@click.argument("fleet")
@click.argument("backup", type=click.Path(path_type=Path))
@json_option
def command(fleet: str, backup: Path, as_json: bool) -> None:
    """Put BACKUP, a directory that `fleet-tui backup` made, in place of FLEET's ledger.

    Refuses while an engine runs (exit 6; `fleet-tui stop` ends it). The backup is checked first and
    not changed; the old state directory is kept beside the new one. Runs that were open in the
    backup are looked for at their agents and not sent again. What waits in the backup may have run
    since, so the fleet is frozen: it starts nothing until `fleet-tui thaw`. Only a backup that ends
    exactly where the old ledger is proved to end goes on as it was.
    """
    from fleet_tui import __version__
    from fleet_tui.journal.upkeep.restoring import restore

    found = find_fleet(fleet)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = found.directory.with_name(f"{found.directory.name}.before-restore-{stamp}")
    done, state = run(restore(backup, found.directory, aside, _now_ms, __version__, os.getpid()))
    if as_json:
        emit_json(
            "restore",
            fleet=found.name,
            restored=done,
            behind=done.is_behind,
            open_runs=sum(t.open_attempt is not None for t in state.open_tasks.values()),
            waiting=sum(1 for _ in state.waiting()),
            mode=state.engine.mode.mode.value,
        )
    else:
        _print(done, state)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _print(done: "Restored", state: "FleetState") -> None:
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(done.copy.last_at_ms / 1_000))
    say(f"restored {done.copy.events} events, up to {done.copy.last_seq} of {made}")
    if done.aside is not None:
        say(f"what was there is kept in {done.aside}")
    if not done.is_behind:
        click.echo("the old ledger ended there too: the fleet goes on as it was")
        return
    if done.aside is None:
        click.echo("there was no ledger here: nobody can say what happened after the backup")
    elif done.old_last_seq is None or done.old_last_at_ms is None:
        click.echo("the old ledger cannot be read: nobody can say what happened after the backup")
    elif done.old_last_seq > done.copy.last_seq:
        newer = done.old_last_seq - done.copy.last_seq
        for_ms = words.elapsed_ms(done.copy.last_at_ms, done.old_last_at_ms)
        say(
            f"the old ledger went on for {newer} events and {words.duration(for_ms)} after the "
            "backup; the fleet does not know them any more"
        )
    elif done.old_last_seq < done.copy.last_seq:
        click.echo("the backup knows more than the old ledger did")
    else:
        click.echo("the old ledger cannot be proved to end where the backup does")
    runs = sum(t.open_attempt is not None for t in state.open_tasks.values())
    waiting = sum(1 for _ in state.waiting())
    say(f"{words.plural(runs, 'open run')}: looked for at the agents, not sent again")
    say(f"{words.plural(waiting, 'waiting task')}: may have run since, and would run after a thaw")
    click.echo("the fleet is frozen: cancel what has run, then `fleet-tui thaw`")
