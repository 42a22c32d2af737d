"""``fleet-tui verify``: is a ledger, a backup or a recording what was written?"""

from pathlib import Path

import click
import msgspec

from fleet_tui.base.errors import ExitCode, UsageError
from fleet_tui.cli.common import (
    emit_json,
    ending_tidily,
    find_fleet,
    json_option,
    recording_named,
    say,
)


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
def command(what: str | None, as_json: bool) -> int:
    """Check every event of WHAT: a fleet (./fleet.yaml), the directory of a backup, or a recording.

    The whole chain of hashes, the head file and the database files themselves are read; nothing is
    changed, and an engine may run. Exit 0 when it is intact; 1 when not, with the exact range of
    events that cannot be trusted.
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
            click.echo("hint: `fleet-tui restore` puts a backup in place", err=True)
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
    verdict = verify(directory)
    return Proof(
        kind=kind,
        path=str(directory),
        intact=verdict.intact,
        events=verdict.events,
        first_bad=verdict.first_bad_seq,
        last_bad=verdict.last_bad_seq,
        reason=verdict.reason,
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
