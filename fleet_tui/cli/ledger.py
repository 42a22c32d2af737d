"""A fleet's ledger: export a recording, back it up, restore it, verify a copy."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from fleet_tui.base.errors import ExitCode, UsageError
from fleet_tui.base.paths import backups_dir, private_dir
from fleet_tui.cli.common import (
    emit_json,
    ending_tidily,
    find_fleet,
    fleet_argument,
    instant,
    json_option,
    ledger_of,
    recording_named,
    run,
    say,
)
from fleet_tui.cli.files import recording_target
from fleet_tui.core.text import words


@click.command()
@fleet_argument
@json_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Output file.",
)
@click.option("--since", metavar="TIME", help="Start at a time (12:04) or an age (10m).")
@click.option("--until", metavar="TIME", help="End at a time or an age.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def export_command(
    fleet_text: str | None,
    as_json: bool,
    output: Path | None,
    since: str | None,
    until: str | None,
    force: bool,
) -> None:
    """Write a recording (.fleetrec) that `fleet-tui review` opens anywhere, offline.

    Anything that looks like a secret is redacted.
    """
    from fleet_tui.base.redact import redact
    from fleet_tui.journal.recordings.recording import export

    found = find_fleet(fleet_text)
    name = time.strftime(f"{found.name}-%Y%m%d-%H%M%S.fleetrec")
    with ledger_of(found):  # reports a missing ledger like every other command
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


@click.command()
@fleet_argument
@json_option
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path),
    help=(
        "Target directory, which must not exist yet; default: a new one in the user's data "
        "directory."
    ),
)
def backup_command(fleet_text: str | None, as_json: bool, target: Path | None) -> None:
    """Copy the fleet's ledger, samples and logs into a new directory.

    The engine may run. Every event of the copy is verified against the hash chain; a damaged
    ledger is not copied (exit 1, with the range of events).
    """
    from fleet_tui.journal.upkeep.backups import back_up

    found = find_fleet(fleet_text)
    with ledger_of(found):  # reports a missing ledger like every other command
        if target is None:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            target = private_dir(backups_dir()) / f"{found.directory.name}-{stamp}"
    done = back_up(found.directory, target)
    if as_json:
        emit_json("backup", fleet=found.name, backup=done)
        return
    say(f"{done.path}: {done.events} events up to {done.last_seq}, {words.size(done.bytes)}")
    click.echo("every event was verified; `fleet-tui restore` restores it")
    for name in done.left_out:
        say(f"note: {name} cannot be read and is not in the backup; the ledger is", err=True)


if TYPE_CHECKING:
    from fleet_tui.core.ledger.state import FleetState
    from fleet_tui.journal.upkeep.restoring import Restored


@click.command()
@click.argument("fleet")
@click.argument("backup", type=click.Path(path_type=Path))
@json_option
def restore_command(fleet: str, backup: Path, as_json: bool) -> None:
    """Replace FLEET's ledger with BACKUP, a directory made by `fleet-tui backup`.

    Refuses while an engine runs (exit 6; `fleet-tui stop` ends it). The backup is verified first
    and not changed; the old state directory is kept beside the new one. Runs that were open in the
    backup are looked up at their agents and not sent again. Tasks that were queued in the backup
    may have run since, so the fleet is frozen: it starts no work until `fleet-tui thaw`. Only a
    backup that ends exactly where the old ledger provably ends is not frozen.
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
        say(f"the previous directory is kept in {done.aside}")
    if not done.is_behind:
        click.echo("the old ledger ended there too: the fleet is not frozen")
        return
    if done.aside is None:
        click.echo("there was no ledger here: what happened after the backup is unknown")
    elif done.old_last_seq is None or done.old_last_at_ms is None:
        click.echo("the old ledger cannot be read: what happened after the backup is unknown")
    elif done.old_last_seq > done.copy.last_seq:
        newer = done.old_last_seq - done.copy.last_seq
        for_ms = words.elapsed_ms(done.copy.last_at_ms, done.old_last_at_ms)
        say(
            f"the old ledger had {newer} events and {words.duration(for_ms)} more than the backup; "
            "those events are gone from the ledger"
        )
    elif done.old_last_seq < done.copy.last_seq:
        click.echo("the backup has more events than the old ledger")
    else:
        click.echo("the old ledger does not provably end where the backup does")
    runs = sum(t.open_attempt is not None for t in state.open_tasks.values())
    waiting = sum(1 for _ in state.waiting())
    say(f"{words.plural(runs, 'open run')}: looked up at the agents, not sent again")
    say(f"{words.plural(waiting, 'waiting task')}: may have run since, and will run after a thaw")
    click.echo("the fleet is frozen: cancel what has run, then `fleet-tui thaw`")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at and what was found."""

    kind: str
    path: str
    intact: bool
    events: int
    first_bad: int | None = None
    last_bad: int | None = None
    """Of a recording the last record is not known."""
    reason: str = ""


@click.command()
@click.argument("what", required=False)
@json_option
def verify_command(what: str | None, as_json: bool) -> int:
    """Verify every event of WHAT: a fleet (./fleet.yaml), a backup directory, or a recording.

    Reads the whole hash chain, the head file and the database files; changes nothing, and the
    engine may run. Exits 0 if intact, 1 if not, with the exact range of events that cannot be
    trusted.
    """
    proof = _proof(what)
    if as_json:
        emit_json("verify", **msgspec.structs.asdict(proof))
    elif proof.intact:
        say(f"{proof.path}: intact, {proof.events} events checked")
    else:
        say(f"{proof.path}: NOT intact: {proof.reason}")
        if proof.kind == "recording":
            say(
                f"records {proof.first_bad} on cannot be trusted; {proof.events} events can be read"
            )
        else:
            upto = f" to {proof.last_bad}" if proof.last_bad is not None else " on"
            sound = f"{proof.events} before are sound"
            say(f"events {proof.first_bad}{upto} cannot be trusted; {sound}")
        if proof.kind == "ledger":
            click.echo("hint: `fleet-tui restore` restores a backup", err=True)
    return ExitCode.OK if proof.intact else ExitCode.FAILED


def _proof(what: str | None) -> Proof:
    from fleet_tui.journal.ledger.segments import numbered_files

    path = Path(what) if what is not None else None
    if what and path is not None and path.is_dir():
        if not numbered_files(path, "events"):
            raise UsageError(f"there is no ledger in the directory {what}")
        return _of_journal("backup", path)
    recording = recording_named(what, any_file=True)
    if recording is not None:
        return _of_recording(recording)
    return _of_journal("ledger", find_fleet(what).directory)


def _of_journal(kind: str, directory: Path) -> Proof:
    from fleet_tui.journal.directory import check
    from fleet_tui.journal.ledger.verifying import verify

    check(directory)
    checked = verify(directory)
    return Proof(
        kind=kind,
        path=str(directory),
        intact=checked.intact,
        events=checked.events,
        first_bad=checked.first_bad_seq,
        last_bad=checked.last_bad_seq,
        reason=checked.reason,
    )


def _of_recording(path: Path) -> Proof:
    from fleet_tui.base.paths import cache_dir, private_dir
    from fleet_tui.journal.recordings.importing import check_recording

    with ending_tidily():
        found = check_recording(path, private_dir(cache_dir() / "recordings"))
    return Proof(
        kind="recording",
        path=str(path),
        intact=found.intact,
        events=found.events,
        first_bad=found.bad_record,
        reason=found.reason,
    )
