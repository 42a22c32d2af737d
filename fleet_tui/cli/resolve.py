"""``fleet-tui resolve``: an operator's verdict on a task that nobody else can judge."""

import time

import click

from fleet_tui.base.errors import Refused
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import (
    accepted,
    ask_engine,
    emit_json,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    say,
    task_named,
)
from fleet_tui.cli.confirming import need_somebody
from fleet_tui.cli.task_facts import evidence
from fleet_tui.core.ledger.commands import Resolve, Verdict
from fleet_tui.core.ledger.decided import ended_long_ago
from fleet_tui.core.tasks.verdicts import may_be_judged
from fleet_tui.core.text.firewall import safe_line


@click.command()
@click.argument("task")
@click.argument("verdict", required=False, type=OneOf([v.value for v in Verdict]))
@click.argument("reason", required=False)
@fleet_option
@json_option
def command(
    task: str, verdict: str | None, reason: str | None, fleet_text: str | None, as_json: bool
) -> None:
    """Say what became of TASK and why you know: it ran, it did not run, or run it again.

    Prints what is known first. On a terminal it asks for what was not given; elsewhere VERDICT and
    REASON are needed.
    """
    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = task_named(ledger, state, task)
    if state.task(found.id) is None:
        raise Refused(ended_long_ago(found).text, hint=ended_long_ago(found).hint)
    if not may_be_judged(found):
        raise Refused(f"{found.label} is {found.phase}; no verdict is needed")
    now_ms = time.time_ns() // 1_000_000
    known = list(evidence(found, now_ms))
    if not as_json:
        say(f"{found.label}: {safe_line(found.spec.shown, 200)}", err=True)
        for text in known:
            say(f"  {text}", err=True)
    if verdict is None or reason is None:
        need_somebody("give VERDICT and REASON: fleet-tui resolve TASK ran 'its output is there'")
        choice = OneOf([v.value for v in Verdict])
        verdict = verdict or click.prompt("What became of it", type=choice, err=True)
        reason = reason or click.prompt("How do you know", err=True)
    seen = found.attempt.run_id if found.attempt is not None else None
    resolve = Resolve(task=found.id, run=seen, verdict=Verdict(verdict), reason=reason)
    reply = accepted(ask_engine(fleet, [resolve])[0])
    if as_json:
        emit_json(
            "resolved",
            fleet=fleet.name,
            task=found.id,
            verdict=verdict,
            evidence=known,
            reply=reply,
        )
    else:
        say(f"{found.label}: {verdict}")
