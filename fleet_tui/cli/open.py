"""``fleet-tui open``: the console of a fleet, with an engine behind it."""

import os
import subprocess
import sys
import tempfile
import time
from typing import IO

import click

from fleet_tui.base import children
from fleet_tui.base.errors import FleetError, Unreachable, UsageError
from fleet_tui.base.paths import open_private, private_dir, socket_path
from fleet_tui.cli.begin import begin, is_first_time
from fleet_tui.cli.common import (
    Fleet,
    find_fleet,
    fleet_argument,
    operator,
    silent_engine,
    unreached,
)
from fleet_tui.cli.engine import LOG_FILE
from fleet_tui.cli.screen import Screen, need_terminal, screen_options, show

START_DEADLINE_S = 20.0
SOCKET_AGAIN_S = 6.0
"""An engine checks for its socket every two seconds."""
POLL_S = 0.05


@click.command()
@fleet_argument
@click.option("--read-only", is_flag=True, help="Disable every command that changes the fleet.")
@screen_options
@click.pass_context
def open_command(
    context: click.Context,
    fleet_text: str | None,
    read_only: bool,
    screen: Screen,
) -> int:
    """Open the fleet's console, starting its engine if none runs. Closing it stops nothing."""
    need_terminal()
    if is_first_time(fleet_text):
        return begin(context, screen)
    found = find_fleet(fleet_text)
    start_engine(found)

    from fleet_tui.feed.attached import AttachedFeed

    feed = AttachedFeed(found.directory, by=operator(), read_only=read_only)
    return show(feed, screen, directory=found.directory)


def start_engine(fleet: Fleet) -> None:
    """Start the fleet's engine in a session of its own unless one answers. Raises FleetError with
    the engine's own words when it does not come up."""
    if engine_answers(fleet):
        return
    if silent_engine(fleet) is not None:
        _wait_for_socket(fleet)
        return
    if fleet.file is None:
        raise UsageError(
            f"no engine runs for {fleet.name}, and starting one requires its fleet file",
            hint="give the path of its fleet file",
        )
    _check(fleet)
    with _output_of_engine(fleet) as output:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            # -P: a module in the working directory is not ours.
            [sys.executable, "-P", "-m", "fleet_tui", "engine", str(fleet.file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=children.of_an_engine(),
        )
        deadline = time.monotonic() + START_DEADLINE_S
        while not engine_answers(fleet):
            if process.poll() is not None:
                output.seek(0)
                raise FleetError(
                    f"the engine of {fleet.name} did not start",
                    hint=output.read().decode(errors="replace").strip()[-2_000:],
                )
            if time.monotonic() > deadline:
                raise FleetError(
                    f"the engine of {fleet.name} does not answer",
                    hint=f"its log is {fleet.directory / LOG_FILE}",
                )
            time.sleep(POLL_S)


def _output_of_engine(fleet: Fleet) -> IO[bytes]:
    """A file for the engine's output: in its state directory, or without a name where that disk
    takes no file; the engine reports the reason. Raises OSError, FleetError."""
    try:
        return open_private(private_dir(fleet.directory) / "engine.err")
    except OSError:
        return tempfile.TemporaryFile()


def _wait_for_socket(fleet: Fleet) -> None:
    """Wait while an engine runs without its socket, which it recreates. Raises Unreachable when it
    does not."""
    deadline = time.monotonic() + SOCKET_AGAIN_S
    while not engine_answers(fleet):
        if silent_engine(fleet) is None:  # it ended meanwhile
            start_engine(fleet)
            return
        if time.monotonic() > deadline:
            raise unreached(fleet, Unreachable("no engine runs for this fleet"))
        time.sleep(POLL_S)


def _check(fleet: Fleet) -> None:
    """Report every problem of the fleet file here and now instead of in the engine's log."""
    from fleet_tui.config.load import load_fleet

    assert fleet.file is not None
    load_fleet(fleet.file, os.environ)


def engine_answers(fleet: Fleet) -> bool:
    """Whether an engine of ours listens at the fleet's socket. Raises FleetError when another user
    does, or could."""
    import socket

    from fleet_tui.base.doors import check_peer, check_room

    path = socket_path(fleet.directory)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(1.0)
        try:
            check_room(path)
            door.connect(str(path))
            check_peer(door, path)
        except OSError:
            return False
        return True
