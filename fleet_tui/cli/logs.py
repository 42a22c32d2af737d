"""``fleet-tui logs``: the merged log as plain lines."""

import time
from collections.abc import Sequence

import click
import msgspec

from fleet_tui.base.errors import UsageError
from fleet_tui.cli.choosing import OneOf
from fleet_tui.cli.common import (
    Fleet,
    clock_ms,
    emit_json,
    fleet_option,
    instant,
    json_option,
    json_text,
    latest,
    ledger_of,
    say,
    task_named,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine, LogQuery
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.near import nearest

POLL_S = 0.2
MAX_LOOKED_UP = 1_000
"""Forgotten tasks whose labels are looked up for one page of lines."""
PAGE_LINES = 20_000
"""Lines shown per refresh; a full page may have had more before it."""


@click.command()
@click.argument("wanted", nargs=-1)
@fleet_option
@click.option("--agent", help="Only this agent's lines.")
@click.option("--task", help="Only lines of this task.")
@click.option(
    "--level",
    type=OneOf([v.name.lower() for v in Level]),
    default="unknown",
    help="This level and above.",
)
@click.option("--since", metavar="TIME", help="Start at a time (12:04) or an age (10m).")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("-F", "--follow", is_flag=True, help="Follow new lines until ctrl+c.")
@json_option
@click.option("--jsonl", "as_lines", is_flag=True, help="Print one JSON document per line.")
def logs_command(
    wanted: tuple[str, ...],
    fleet_text: str | None,
    agent: str | None,
    task: str | None,
    level: str,
    since: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
    as_lines: bool,
) -> None:
    """Print the newest LIMIT lines of the merged log that contain all the words WANTED."""
    from fleet_tui.journal.telemetry.logs import LogReader

    if as_json and follow:
        raise UsageError("--json prints one document, and --follow has no end", hint="--jsonl")
    fleet = look_at(fleet_text)
    if fleet.recorded and follow:
        raise UsageError("a recording has no new lines to follow")
    with ledger_of(fleet) as ledger:
        state = ledger.load()
        found = task_named(ledger, state, task) if task is not None else None
    query = LogQuery(
        source=AgentName(agent) if agent else None,
        task=found.id if found is not None else None,
        level=Level[level.upper()],
        words=" ".join(wanted),
        since_ms=instant(since, fleet.now_ms(state)),
        limit=limit,
    )
    reader = LogReader(fleet.directory)
    try:
        lines = reader.query(query)
        if agent and not lines and agent not in state.agents:
            near = nearest(agent, state.agents)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"no agent is called {agent}, and no line is from it",
                hint=f"{meant}`fleet-tui agents` lists them",
            )
        if as_json:
            emit_json("logs", fleet=fleet.name, lines=lines)
            return
        _print(fleet, lines, state, as_lines)
        mark = lines[-1].line_id if lines else reader.newest_id()
        while follow:
            time.sleep(POLL_S)
            fresh = reader.query(msgspec.structs.replace(query, after_line=mark, limit=PAGE_LINES))
            if len(fresh) == PAGE_LINES:
                say(
                    (
                        f"lines arrived faster than they can be printed: the newest {PAGE_LINES} "
                        "follow"
                    ),
                    err=True,
                )
            if fresh:
                mark = fresh[-1].line_id
                state = _current(fleet, state)
                _print(fleet, fresh, state, as_lines)
    finally:
        reader.close()


def _current(fleet: Fleet, state: FleetState) -> FleetState:
    with ledger_of(fleet) as ledger:
        return latest(ledger, state)


def _print(fleet: Fleet, lines: Sequence[LogLine], state: FleetState, as_json: bool) -> None:
    labels = {} if as_json else _labels(fleet, lines, state)
    for line in lines:
        if as_json:
            click.echo(json_text(line))
        else:
            label = "-" if line.task is None else labels.get(line.task, "-")
            click.echo(
                f"{clock_ms(line.received_at_ms)} {line.level.name:<7} "
                f"{safe_line(line.source or 'fleet'):<12} {label:<8} "
                f"{safe_line(line.text)}"
            )


def _labels(fleet: Fleet, lines: Sequence[LogLine], state: FleetState) -> dict[TaskId, str]:
    """The labels of the lines' tasks; old ones are looked up in the ledger."""
    ids = dict.fromkeys(line.task for line in lines if line.task is not None)
    found = {task: known.label for task in ids if (known := state.task(task)) is not None}
    forgotten = [task for task in ids if task not in found][:MAX_LOOKED_UP]
    if forgotten:
        with ledger_of(fleet) as ledger:
            for task in forgotten:
                old = ledger.find_task(task, until=state.seq)
                if old is not None:
                    found[task] = old.label
    return found
