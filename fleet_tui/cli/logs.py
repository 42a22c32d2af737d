"""``fleet-tui logs``: the merged log as plain lines."""

import time
from collections.abc import Iterable

import click
import msgspec

from fleet_tui.cli.common import Fleet, find_fleet, fleet_option, ledger_of
from fleet_tui.cli.export import _instant
from fleet_tui.core import words
from fleet_tui.core.firewall import safe_line
from fleet_tui.core.ids import AgentName
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.state import FleetState
from fleet_tui.errors import UsageError

POLL_S = 0.2
PAGE_LINES = 1_000


@click.command()
@click.argument("wanted", nargs=-1)
@fleet_option
@click.option("--agent", help="Only this agent's lines.")
@click.option("--task", help="Only lines of this task.")
@click.option(
    "--level",
    type=click.Choice([v.name.lower() for v in Level]),
    default="unknown",
    help="This level or worse.",
)
@click.option("--since", metavar="TIME", help="From 12:04 or 10m (ago) on.")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("-F", "--follow", is_flag=True, help="Go on with new lines until ctrl+c.")
@click.option("--json", "--jsonl", "as_json", is_flag=True, help="One JSON document per line.")
def command(
    wanted: tuple[str, ...],
    fleet_text: str | None,
    agent: str | None,
    task: str | None,
    level: str,
    since: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Print lines of the merged log that have all the words WANTED, the newest LIMIT of them."""
    from fleet_tui.journal.logs import LogFilter, LogReader

    fleet = find_fleet(fleet_text)
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    found = state.find_task(task) if task is not None else None
    if task is not None and found is None:
        raise UsageError(f"no task {task} is known")
    query = LogFilter(
        source=AgentName(agent) if agent else None,
        task=found.id if found is not None else None,
        level=Level[level.upper()],
        words=" ".join(wanted),
        since_ms=_instant(since),
        limit=limit,
    )
    reader = LogReader(fleet.directory)
    try:
        lines = reader.query(query)
        _print(lines, state, as_json)
        mark = lines[-1].line_id if lines else reader.newest_id()
        while follow:
            time.sleep(POLL_S)
            fresh = reader.query(msgspec.structs.replace(query, after_line=mark, limit=PAGE_LINES))
            if fresh:
                mark = fresh[-1].line_id
                _print(fresh, _current(fleet), as_json)
    finally:
        reader.close()


def _current(fleet: Fleet) -> FleetState:
    with ledger_of(fleet) as ledger:
        return ledger.load()


def _print(lines: Iterable[LogLine | LogGap], state: FleetState, as_json: bool) -> None:
    for line in lines:
        if as_json:
            click.echo(msgspec.json.encode(line).decode())
        elif isinstance(line, LogGap):
            click.echo(f"{words.clock_ms(line.received_at_ms)} (lost: {safe_line(line.reason)})")
        else:
            task = state.task(line.task) if line.task is not None else None
            click.echo(
                f"{words.clock_ms(line.received_at_ms)} {line.level.name:<7} "
                f"{line.source or 'fleet':<12} {task.label if task else '-':<8} "
                f"{safe_line(line.text)}"
            )
