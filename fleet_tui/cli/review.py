"""``fleet-tui review``: look back at a ledger or a recording, offline, in the same console."""

from pathlib import Path

import click

from fleet_tui.cli.common import ending_tidily, find_fleet, say
from fleet_tui.cli.screen import Screen, need_terminal, screen_options, show
from fleet_tui.errors import UsageError
from fleet_tui.paths import cache_dir, private_dir


@click.command()
@click.argument("session", required=False)
@screen_options
def command(
    session: str | None,
    ascii_glyphs: bool,
    theme: str,
    low_bandwidth: bool,
    no_mouse: bool,
    bell: str,
) -> int:
    """Look back at SESSION: a .fleetrec file, a fleet file or a fleet's name.

    Nothing can be done in a review, and no engine is contacted.
    """
    need_terminal()
    from fleet_tui.feed.recorded import RecordedFeed

    directory = directory_of(session)
    feed = RecordedFeed(directory)
    screen = Screen(ascii_glyphs, theme, low_bandwidth, not no_mouse, bell)
    return show(feed, screen, timeline=feed, directory=directory)


def directory_of(session: str | None) -> Path:
    """The journal directory of what is to be reviewed; a recording is imported into the cache.
    Raises FleetError for a file that is no recording, UsageError for what is not there."""
    if session is not None and Path(session).is_file() and not session.endswith((".yaml", ".yml")):
        from fleet_tui.journal.importing import import_recording

        with ending_tidily():
            imported = import_recording(Path(session), private_dir(cache_dir() / "recordings"))
        if imported.bad_record is not None:
            say(
                f"note: not intact from record {imported.bad_record} on: {imported.reason}",
                err=True,
            )
        return Path(imported.directory)
    if session is not None and session.endswith(".fleetrec"):
        raise UsageError(f"there is no recording {session}")
    return find_fleet(session).directory
