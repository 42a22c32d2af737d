"""``fleet-tui why``: where a task went and why, or why it waits and what would help."""

import click

from fleet_tui.cli.common import (
    clock,
    emit_json,
    emit_table,
    fleet_option,
    json_option,
    ledger_of,
    offset_minutes,
    say,
    task_named,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.cli.task_facts import (
    checkpoint_of,
    evidence,
    limits,
    said_by_operators,
)
from fleet_tui.core.agents.troubles import waits_for
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.reason_words import pending_words
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.tasks.quoting import reason_of
from fleet_tui.core.tasks.verdicts import MAYBE_TWICE, may_be_judged
from fleet_tui.core.tasks.words import task_word
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line

MAX_SAID_CHARS = 160
"""Of what an agent that a task waits for says itself."""


@click.command()
@click.argument("task")
@fleet_option
@json_option
def why_command(task: str, fleet_text: str | None, as_json: bool) -> None:
    """Explain TASK (t-42, 42 or its id): every rule, every score, every attempt."""
    fleet = look_at(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = task_named(ledger, state, task)
        state = state.recalling(found)
        story = ledger.task_events(found.id)
    if as_json:
        emit_json(
            "why",
            fleet=fleet.name,
            task=found,
            events=[{"seq": r.seq, "at_ms": r.at_ms, "event": r.event} for r in story],
        )
        return
    _print(found, state, fleet.now_ms(state))
    for record in story:
        sentence = narrate(record.event, state)
        if sentence is not None:
            said = f": {safe_line(sentence.detail, 200)}" if sentence.detail else ""
            say(f"{clock(record.at_ms)}  {sentence.text}{said}")


def _print(task: Task, state: FleetState, now_ms: int) -> None:
    client = f", client {task.spec.client}" if task.spec.client else ""
    say(f"{task.label}  {task.spec.priority.name}  {task.phase}{client}")
    say(f"text: {safe_line(task.spec.shown, 200)}")
    if task.reason:
        say(f"reason: {safe_line(task.reason, 200)}")
    if task.duplicate_possible:
        say(MAYBE_TWICE)
    needs = ", ".join(sorted(task.spec.needs)) or "nothing special"
    say(f"needs: {needs}")
    for text in (
        *said_by_operators(task),
        *limits(state, task, now_ms),
        *checkpoint_of(task),
    ):
        say(text)
    for text in notes(state, task, now_ms, offset_minutes(now_ms)):
        say(f"{task_word(task)}, {text}")
    if may_be_judged(task):
        click.echo("what is known, for your verdict (fleet-tui resolve):")
        for text in evidence(task, now_ms):
            say(f"  {text}")
    decision = None
    if task.pending is not None:
        decision = task.pending.decision
        say(f"waits: {task.pending.detail or pending_words(task.pending.code)}")
        found = waits_for(state, task)
        for each in found.told:
            said = f": {safe_line(each.said, MAX_SAID_CHARS)}" if each.said else ""
            say(f"  {each.agent}: {each.trouble}{said}")
            say(f"    {each.cure}")
        if found.more:
            say("  and others")
        if task.pending.remedy:
            say(f"what would help: {task.pending.remedy}")
    if decision is None and task.attempt is not None:
        decision = task.attempt.decision
    if decision is not None:
        print_decision(decision)
    for attempt in task.attempts:
        ended = f", {safe_line(reason_of(attempt), 100)}" if attempt.reason else ""
        say(f"attempt {attempt.number} on {attempt.agent}: {attempt.phase}{ended}")
        if attempt.answer.lost:
            say(f"  answer {safe_line(attempt.answer.loss)}")
        if attempt.answer.text:
            say(f"  answer: {safe_line(attempt.answer.text, 400)}")
        usage, cost = attempt.usage, words.money(attempt.cost_microusd)
        if usage.unusable:
            cost = words.cost(attempt.cost_microusd, is_unknown=True)
        if usage.total_tokens:
            say(f"  {words.grouped(usage.total_tokens)} tokens, {cost}")
        if usage.unusable:
            say("  cost unknown: what it reported is no number of tokens or no amount of money")


def print_decision(decision: RoutingDecision) -> None:
    """The rules with what they removed, then the scores with their terms."""
    say(f"candidates: {decision.considered} considered, {decision.fitting} fit")
    if decision.rejections:
        emit_table(
            ("RULE", "WANTED", "REMOVED", "LEFT", "EXAMPLE"),
            ((r.rule, r.wanted, str(r.count), str(r.left), r.example) for r in decision.rejections),
            empty="",
        )
    for candidate in decision.candidates:
        terms = " ".join(f"{t.value:+.2f} {t.name}" for t in candidate.terms)
        mark = "->" if candidate.agent == decision.chosen else "  "
        say(f"{mark} {candidate.agent} {candidate.score:.2f} = {terms}")
    if decision.note:
        say(f"note: {decision.note}")
