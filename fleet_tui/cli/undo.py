"""``fleet-tui undo``: undo the operator's last action."""

import time
from collections.abc import Sequence

import click

from fleet_tui.base.errors import CommandRefused, ExitCode
from fleet_tui.cli.common import (
    ask_engine,
    clock,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    operator,
    refusal,
    say,
)
from fleet_tui.cli.confirming import confirm
from fleet_tui.cli.selecting import consent_options
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.decided import LeftOut
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.undo import PastAct, inverse, last_act
from fleet_tui.verbs.fleet import UNDO
from fleet_tui.verbs.undoing import NOTHING_SENT, undoing, undone
from fleet_tui.verbs.verb import PlanFact

LOOK_BACK_EVENTS = 20_000
"""How far back the last action is searched."""


@click.command(
    UNDO.name,
    help=f"{UNDO.summary}\n\n{UNDO.help} Shows the action before asking. Leaves alone what "
    "somebody else has changed since. Exits 5 if only part was undone, 6 if nothing was.",
)
@fleet_option
@json_option
@consent_options
def undo_command(fleet_text: str | None, as_json: bool, yes: bool, dry_run: bool) -> int:
    """Find the last action, plan its inverse, ask, send and report the outcome."""
    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        act = last_act(ledger.newest(LOOK_BACK_EVENTS, until=state.seq), operator())
        if act is None:
            raise CommandRefused(f"{operator()} has no recent action that can be undone")
        made = Made(by=operator(), at_ms=act.at_ms)
        commands = inverse(ledger.load(until_seq=act.after), act.events, made)
    now_ms = time.time_ns() // 1_000_000
    done = _told(act, state, now_ms)
    if not commands:
        raise CommandRefused(f"this action cannot be undone: {done}")
    found = undoing(state, operator(), commands, now_ms)
    plans, titles, facts, left_out = found
    if not plans:
        raise CommandRefused(
            left_out[0].why.text, hint=f"it is too late to undo this action: {done}"
        )
    came = NOTHING_SENT
    if not dry_run:
        if not yes:
            say(f"{done}. Undo: {', '.join(titles)}", err=True)
            _say_more(facts, left_out)
        confirm("Continue?", yes=yes)
        shown = [None if yes else each.impact for each in plans]
        came = undone(found, ask_engine(fleet, [each.command for each in plans], shown))
        if not came.done and came.refused:
            raise refusal(came.refused[0])
        if not came.done:
            raise CommandRefused(f"it is too late to undo this action: {done}")
    if as_json:
        emit_json(
            "undone",
            fleet=fleet.name,
            dry_run=dry_run,
            act=done,
            at_ms=act.at_ms,
            commands=titles,
            undone=came.done,
            left_out=[{"label": each.label, "refused": each.why} for each in left_out],
            refused=came.refused,
        )
    else:
        say(f"would undo: {', '.join(titles)}" if dry_run else f"undone: {', '.join(came.told)}")
        if dry_run or yes:
            _say_more((), left_out)
    for each in came.refused:
        say(each.text, err=True)
    return ExitCode.OK if came.is_whole and not left_out else ExitCode.PARTIAL


def _say_more(facts: Sequence[PlanFact], left_out: Sequence[LeftOut]) -> None:
    """Show the facts, and why parts of it cannot be undone."""
    for fact in facts:
        say(f"  {fact.line}", err=True)
    for out in left_out:
        say(f"{out.label}: {out.why.text}" if out.label else out.why.text, err=True)


def _told(act: PastAct, state: FleetState, now_ms: int) -> str:
    """The action as in the merged log, by its first event, and its age."""
    sentence = narrate(act.events[0], state)
    said = sentence.text if sentence is not None else "an action without a description"
    more = f" and {words.grouped(len(act.events) - 1)} more" if len(act.events) > 1 else ""
    ago = words.age(act.at_ms, now_ms)
    return safe_line(f"{clock(act.at_ms)} ({ago} ago) {said}{more}", 400)
