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
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import subjects
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.undo import PastAct, inverse, last_act
from fleet_tui.verbs.fleet import UNDO
from fleet_tui.verbs.undoing import undoing
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
    plans, titles, facts, left_out = undoing(state, operator(), commands, now_ms)
    if not plans:
        raise CommandRefused(
            left_out[0].why.text, hint=f"it is too late to undo this action: {done}"
        )
    replies: Sequence[Reply] = ()
    if not dry_run:
        if not yes:
            say(f"{done}. Undo: {', '.join(titles)}", err=True)
            _say_more(facts, left_out)
        confirm("Continue?", yes=yes)
        shown = [None if yes else each.impact for each in plans]
        replies = ask_engine(fleet, [each.command for each in plans], shown)
    undone = [what for what, reply in zip(titles, replies, strict=False) if _is_done(reply)]
    refused = [reply for reply in replies if isinstance(reply, Refused)]
    if refused and not undone:
        raise refusal(refused[0])
    if replies and not undone:
        raise CommandRefused(f"it is too late to undo this action: {done}")
    if as_json:
        emit_json(
            "undone",
            fleet=fleet.name,
            dry_run=dry_run,
            act=done,
            at_ms=act.at_ms,
            commands=titles,
            undone=undone,
            left_out=[{"label": each.label, "refused": each.why} for each in left_out],
            refused=refused,
        )
    else:
        say(f"would undo: {', '.join(titles)}" if dry_run else f"undone: {', '.join(undone)}")
        if dry_run or yes:
            _say_more((), left_out)
    for each in refused:
        say(each.text, err=True)
    changed = [r.changed for r in replies if isinstance(r, Accepted) and r.changed is not None]
    asked = sum(len(subjects(each.command)) for each in plans) if changed else 0
    whole = not left_out and not refused and (dry_run or sum(changed) == asked)
    return ExitCode.OK if whole else ExitCode.PARTIAL


def _is_done(reply: Reply) -> bool:
    return isinstance(reply, Accepted) and reply.changed != 0


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
