"""``fleet-tui engine``: the fleet's engine in the foreground, for systemd or a terminal."""

import logging
import os
from logging.handlers import RotatingFileHandler

import click

from fleet_tui.base.confine import confine
from fleet_tui.base.crash import PrivateFormatter
from fleet_tui.base.errors import UsageError
from fleet_tui.base.paths import private_dir
from fleet_tui.cli.common import Fleet, find_fleet, fleet_option, run, say

LOG_FILE = "engine.log"
LOG_BYTES = 5 * 1024 * 1024
LOG_FILES = 5


@click.command()
@click.argument("fleet", required=False)
@fleet_option
def command(fleet: str | None, fleet_text: str | None) -> None:
    """Run the fleet's engine until SIGTERM or ctrl+c; SIGHUP changes nothing.

    One engine owns a fleet: a second one refuses and names the first.
    """
    from fleet_tui.config.load import load_fleet
    from fleet_tui.engine.run import run_engine

    confine()
    found = find_fleet(fleet or fleet_text)
    if found.file is None:
        raise UsageError("an engine needs the fleet's file", hint="give the path of a fleet.yaml")
    loaded = load_fleet(found.file, os.environ)
    for warning in loaded.warnings:
        say(f"{warning.path}:{warning.line}: {warning.message}", err=True)
    keep_log(found)
    reason = run(
        run_engine(
            loaded.spec,
            found.directory,
            file=found.file,
            ready=lambda: say(f"engine of {found.name} ready, pid {os.getpid()}", err=True),
        )
    )
    say(f"engine of {found.name} stopped: {reason}", err=True)


def keep_log(fleet: Fleet) -> None:
    """Write the engine's own log into its state directory, bounded, readable by its owner only."""
    path = private_dir(fleet.directory) / LOG_FILE
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o600))
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    # Says every connection and channel at INFO, with the peer's own words in it.
    logging.getLogger("asyncssh").setLevel(logging.ERROR)
