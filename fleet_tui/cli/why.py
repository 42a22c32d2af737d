"""``fleet-tui why``: where a task was placed and why, or why it waits and what would help. It
prints the console's page of the task."""

import os
import re

import click

from fleet_tui.cli.common import (
    emit_json,
    fleet_option,
    json_option,
    ledger_of,
    offset_minutes,
    say,
    task_named,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.console.text.document import Pen, plain
from fleet_tui.console.text.glyphs import choose
from fleet_tui.console.views.tasks.detail import task_sections
from fleet_tui.core.tasks.model import Task

_KEY = re.compile(r"\{(\w+)\}")


@click.command()
@click.argument("task")
@fleet_option
@json_option
def why_command(task: str, fleet_text: str | None, as_json: bool) -> None:
    """Explain the routing of TASK (t-42, 42 or its id): every rule, score and attempt."""
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
    now_ms = fleet.now_ms(state)
    pen = pen_for(found, now_ms, can_act=not fleet.recorded)
    for text in plain(task_sections(found, story, state, pen, now_ms)):
        say(text)


def pen_for(task: Task, now_ms: int, *, can_act: bool = True) -> Pen:
    """The pen for a task's page here: where the console names a key, it names the equivalent
    command."""
    return Pen(
        choose(os.environ),
        offset_minutes(now_ms),
        can_act,
        lambda text: _KEY.sub(rf"`fleet-tui \1 {task.label}`", text),
    )
