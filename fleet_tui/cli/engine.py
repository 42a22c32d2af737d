"""A fleet's engine: run it in the foreground, and stop it."""

import logging
import os
import signal
import time
from pathlib import Path

import click

from fleet_tui.base.errors import Unreachable, UsageError
from fleet_tui.base.paths import private_dir
from fleet_tui.cli.common import (
    Fleet,
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_argument,
    json_option,
    run,
    say,
)
from fleet_tui.core.engine.commands import StopEngine

LOG_FILE = "engine.log"
LOG_BYTES = 5 * 1024 * 1024
LOG_FILES = 5
END_WITHIN_S = 15.0
"""How long an engine gets to end after a signal."""
POLL_S = 0.05


@click.command()
@fleet_argument
def engine_command(fleet_text: str | None) -> None:
    """Run the fleet's engine until SIGTERM or ctrl+c; SIGHUP is ignored.

    One engine owns a fleet: a second one refuses to start and names the first.
    """
    from fleet_tui.base.confine import confine
    from fleet_tui.config.load import load_fleet
    from fleet_tui.engine.run import run_engine

    confine()
    found = find_fleet(fleet_text)
    if found.file is None:
        raise UsageError("an engine needs the fleet's file", hint="give the path of a fleet file")
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
    """Write the engine's own log into its state directory, bounded, readable by its owner only.

    Where that file cannot be written, warnings go to standard error: the engine's own report about
    the disk, at its door or at its end, is more important than the log.
    """
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    # Logs every connection and channel at INFO, with text of the peer.
    logging.getLogger("asyncssh").setLevel(logging.ERROR)
    try:
        root.addHandler(_log_file(private_dir(fleet.directory) / LOG_FILE))
    except OSError as error:
        say(f"no log file ({error}); warnings are printed here instead", err=True)


def _log_file(path: Path) -> logging.Handler:
    """Raises OSError."""
    from logging.handlers import RotatingFileHandler

    from fleet_tui.base.crash import PrivateFormatter

    class Log(RotatingFileHandler):
        def handleError(self, record: logging.LogRecord) -> None:
            """On a full or failing disk, lines that cannot be written go to standard error."""
            other = logging.lastResort
            if other is not None and record.levelno >= other.level:
                other.handle(record)

    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(path, flags, 0o600))
    handler = Log(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    return handler


@click.command()
@fleet_argument
@json_option
@click.option("--reason", default="", help="Reason, recorded in the ledger.")
def stop_command(fleet_text: str | None, as_json: bool, reason: str) -> None:
    """Stop the fleet's engine. Running work continues; the next engine picks it up again.

    An engine that does not answer is sent SIGTERM if its lock identifies the process.
    """
    found = find_fleet(fleet_text)
    try:
        reply = accepted(ask_engine(found, [StopEngine(reason=reason)])[0])
    except Unreachable:
        pid = _signal(found)
        if pid is None:
            raise
        if as_json:
            emit_json("stopping", fleet=found.name, reply=None, signalled_pid=pid)
        else:
            say(f"the engine of {found.name} did not answer; it got SIGTERM (pid {pid}) and ended")
        return
    if as_json:
        emit_json("stopping", fleet=found.name, reply=reply, signalled_pid=None)
        return
    say(f"the engine of {found.name} is stopping")


def _signal(fleet: Fleet) -> int | None:
    """End the process that provably owns the ledger, and return which one it was; None when there
    is none. Raises Unreachable when it does not end."""
    from fleet_tui.journal.ledger.holding import proven_holder

    holder = proven_holder(fleet.directory)
    if holder is None:
        return None
    try:
        os.kill(holder.pid, signal.SIGTERM)
    except ProcessLookupError:
        return holder.pid
    deadline = time.monotonic() + END_WITHIN_S
    while (now := proven_holder(fleet.directory)) is not None and now.pid == holder.pid:
        if time.monotonic() > deadline:
            raise Unreachable(
                f"the engine of {fleet.name} does not answer and did not end within"
                f" {END_WITHIN_S:.0f} s of SIGTERM (pid {holder.pid})",
                hint=f"the process may hang; `kill -KILL {holder.pid}` ends it, and nothing that "
                "was acknowledged is lost",
            )
        time.sleep(POLL_S)
    return holder.pid
