"""``fleet-tui restore``: put a backup in place of a fleet's ledger."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleet_tui.cli.common import emit_json, find_fleet, json_option, run, say
from fleet_tui.core import words

if TYPE_CHECKING:
    from fleet_tui.core.state import FleetState
    from fleet_tui.journal.backups import Restored


@click.command()
@click.argument("fleet")
@click.argument("backup", type=click.Path(path_type=Path))
@json_option
def command(fleet: str, backup: Path, as_json: bool) -> None:
    """Put BACKUP, a directory that `fleet-tui backup` made, in place of FLEET's ledger.

    Refuses while an engine runs (exit 6; `fleet-tui stop` ends it). The backup is checked first and
    not changed; the old state directory is kept beside the new one. Runs that were open in the
    backup are looked for at their agents and never sent again. When the old ledger knew more, the
    fleet is frozen: tasks that wait in the backup may have run since.
    """
    from fleet_tui.journal.backups import restore
    from fleet_tui.journal.directory import holder_now

    found = find_fleet(fleet)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = found.directory.with_name(f"{found.directory.name}.before-restore-{stamp}")
    done = restore(backup, found.directory, holder_now(os.getpid(), _now_ms), aside)
    state = run(_settle(found.directory, done))
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


async def _settle(directory: Path, done: "Restored") -> "FleetState":
    """Own the restored ledger once: that proves that an engine can, and freezes the fleet when
    something may have happened that the ledger does not know."""
    from fleet_tui import __version__
    from fleet_tui.core.events import EngineModeChanged
    from fleet_tui.core.modes import EngineMode
    from fleet_tui.journal.writer import JournalWriter

    writer = await JournalWriter.open(directory, _now_ms, __version__, os.getpid())
    try:
        was = writer.state.engine.mode.mode
        if done.is_behind and was is not EngineMode.HOLD:
            reason = f"restored from a backup that ends at event {done.copy.last_seq}"
            hold = EngineModeChanged(mode=EngineMode.HOLD, was=was, reason=reason)
            await writer.append([hold], _now_ms())
        return writer.state
    finally:
        await writer.close("restored from a backup")


def _print(done: "Restored", state: "FleetState") -> None:
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(done.copy.last_at_ms / 1_000))
    say(f"restored {done.copy.events} events, up to {done.copy.last_seq} of {made}")
    if done.aside is not None:
        say(f"what was there is kept in {done.aside}")
    if not done.is_behind:
        return
    if done.old_last_seq is None or done.old_last_at_ms is None:
        click.echo("the old ledger cannot be read: nobody can say what happened after the backup")
    elif done.old_last_seq > done.copy.last_seq:
        newer = done.old_last_seq - done.copy.last_seq
        for_ms = max(done.old_last_at_ms - done.copy.last_at_ms, 0)
        say(
            f"the old ledger went on for {newer} events and {words.duration(for_ms)} after the "
            "backup; the fleet does not know them any more"
        )
    else:
        click.echo("the backup knows more than the old ledger did")
    runs = sum(t.open_attempt is not None for t in state.open_tasks.values())
    waiting = sum(1 for _ in state.waiting())
    say(
        f"{words.plural(runs, 'open run')}: looked for at the agents, not sent again. "
        f"{words.plural(waiting, 'waiting task')}: may have run since"
    )
    click.echo("the fleet is frozen; look at what waits, then `fleet-tui thaw`")
