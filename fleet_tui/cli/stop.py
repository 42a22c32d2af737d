"""``fleet-tui stop``: end a fleet's engine in good order."""

import os
import signal
import time

import click

from fleet_tui.base.errors import Unreachable
from fleet_tui.cli.common import (
    Fleet,
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    say,
)
from fleet_tui.core.ledger.commands import StopEngine

END_WITHIN_S = 15.0
"""How long an engine gets to end after a signal."""
POLL_S = 0.05


@click.command()
@click.argument("fleet", required=False)
@fleet_option
@json_option
@click.option("--reason", default="", help="Why, for the record.")
def command(fleet: str | None, fleet_text: str | None, as_json: bool, reason: str) -> None:
    """Stop the fleet's engine. What runs at the agents goes on; the next engine finds it again.

    An engine that does not answer gets SIGTERM, when its lock proves which process it is.
    """
    found = find_fleet(fleet or fleet_text)
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
        emit_json("stopping", fleet=found.name, reply=reply)
        return
    say(f"the engine of {found.name} is stopping")


def _signal(fleet: Fleet) -> int | None:
    """End the process that is proved to own the ledger, and say which one that was; None when none
    is. Raises Unreachable when it does not end."""
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
                hint=f"it may be frozen; `kill -KILL {holder.pid}` ends it, and nothing that was"
                " acknowledged is lost",
            )
        time.sleep(POLL_S)
    return holder.pid
