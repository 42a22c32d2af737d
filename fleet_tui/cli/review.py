"""``fleet-tui review``: review a ledger or a recording, offline, in the same console."""

from pathlib import Path

import click

from fleet_tui.cli.recordings import look_at
from fleet_tui.cli.screen import Screen, need_terminal, screen_options, show


@click.command()
@click.argument("session", required=False)
@screen_options
def review_command(session: str | None, screen: Screen) -> int:
    """Review SESSION: a .fleetrec file, a fleet file or a fleet's name.

    A review is read-only and contacts no engine.
    """
    need_terminal()
    from fleet_tui.feed.recorded import RecordedFeed

    directory = directory_of(session)
    feed = RecordedFeed(directory)
    return show(feed, screen, timeline=feed, directory=directory)


def directory_of(session: str | None) -> Path:
    """The journal directory to review; a recording is imported into the cache. Raises FleetError
    for a file that is not a recording, UsageError for a missing one."""
    return look_at(session, any_file=True).directory
