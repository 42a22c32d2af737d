"""Recordings in place of fleets, for read-only commands."""

from pathlib import Path

from fleet_tui.base.paths import cache_dir, private_dir
from fleet_tui.cli.common import Fleet, ending_tidily, find_fleet, recording_named, say


def look_at(text: str | None, *, any_file: bool = False) -> Fleet:
    """The fleet or recording meant by FLEET, for a read-only command. Raises what
    :func:`recording_named`, :func:`find_fleet` and :func:`open_recording` do.
    """
    path = recording_named(text, any_file=any_file)
    return find_fleet(text) if path is None else open_recording(path)


def open_recording(path: Path) -> Fleet:
    """A recording, imported into the cache; reports from where on it is damaged. Raises
    BadRecording for a file that is not one, JournalTooNew."""
    from fleet_tui.journal.recordings.importing import import_recording

    with ending_tidily():
        found = import_recording(path, private_dir(cache_dir() / "recordings"))
    if found.bad_record is not None:
        say(f"note: not intact from record {found.bad_record} on: {found.reason}", err=True)
    return Fleet(found.manifest.fleet, None, Path(found.directory), recorded=True)
