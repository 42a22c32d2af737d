"""Taking back what the operator did last."""

import time

import click

from fleet_tui.base.errors import ExitCode
from fleet_tui.base.errors import Refused as RefusedError
from fleet_tui.cli.common import (
    accepted,
    ask_engine,
    clock,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    operator,
    say,
)
from fleet_tui.cli.confirming import confirm
from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.decided import LeftOut
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import Plan, plan, title
from fleet_tui.core.text import words
from fleet_tui.core.undo import Act, inverse, last_act

LOOK_BACK_EVENTS = 20_000
"""How far back the last act is looked for."""


@click.command()
@fleet_option
@json_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def undo_command(fleet_text: str | None, as_json: bool, yes: bool, dry_run: bool) -> int:
    """Take back what you did last: a hold, a release, a priority, a cordon, a freeze or their
    opposites. Says first what that is.

    Exit 5 when part of it cannot be taken back any more, 6 when none of it can or nobody said yes.
    """
    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        rows = ledger.read(Seq(max(0, state.seq - LOOK_BACK_EVENTS)), LOOK_BACK_EVENTS)
        act = last_act(rows, operator())
        if act is None:
            raise RefusedError(f"{operator()} did nothing lately that could be taken back")
        commands = inverse(ledger.load(until_seq=act.after), act.events)
    done = _told(act, state)
    if not commands:
        raise RefusedError(f"this cannot be taken back: {done}")
    now_ms = time.time_ns() // 1_000_000
    plans: list[Plan] = []
    left_out: list[LeftOut] = []
    refused: Refused | None = None
    for command in commands:
        match plan(state, operator(), command, now_ms):
            case Plan() as found:
                plans.append(found)
                left_out += found.left_out
            case Refused() as why:
                refused = refused or why
    if not plans and refused is not None:
        raise RefusedError(refused.text, hint=f"it is too late to take this back: {done}")
    titles = [title(state, each.command) for each in plans]
    if not dry_run:
        if not yes:
            say(f"{done}. Undo: {', '.join(titles)}", err=True)
        confirm("Do it?", yes=yes)
        shown = [each.impact for each in plans]
        for reply in ask_engine(fleet, [each.command for each in plans], shown):
            accepted(reply)
    if as_json:
        emit_json(
            "undone",
            fleet=fleet.name,
            dry_run=dry_run,
            act=done,
            at_ms=act.at_ms,
            commands=titles,
            left_out=[{"label": each.label, "refused": each.why} for each in left_out],
        )
    else:
        say(f"{'would undo' if dry_run else 'undone'}: {', '.join(titles)}")
    for each in left_out:
        say(f"{each.label}: {each.why.text}", err=True)
    return ExitCode.PARTIAL if left_out or refused is not None else ExitCode.OK


def _told(act: Act, state: FleetState) -> str:
    """The act as the merged log tells it, by its first event."""
    sentence = narrate(act.events[0], state)
    said = sentence.text if sentence is not None else "an act without words"
    more = f" and {words.grouped(len(act.events) - 1)} more" if len(act.events) > 1 else ""
    return f"{clock(act.at_ms)} {said}{more}"
