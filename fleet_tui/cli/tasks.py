"""``fleet-tui tasks``: what waits, runs and ended."""

import time
from collections.abc import Iterator

import click

from fleet_tui.cli.common import (
    Fleet,
    emit_json,
    emit_table,
    find_fleet,
    fleet_option,
    json_option,
    ledger_of,
    watch,
    watch_option,
)
from fleet_tui.core import words
from fleet_tui.core.firewall import safe_line
from fleet_tui.core.state import FleetState, Task, TaskPhase

PHASES = [phase.value for phase in TaskPhase]


@click.command()
@fleet_option
@json_option
@click.option("--phase", type=click.Choice(PHASES), multiple=True, help="Only these phases.")
@click.option("--held", is_flag=True, help="Only tasks that no agent can take.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@watch_option
def command(
    fleet_text: str | None,
    as_json: bool,
    phase: tuple[str, ...],
    held: bool,
    limit: int,
    again_s: float | None,
) -> None:
    """List tasks: open ones first, then the newest that ended."""
    fleet = find_fleet(fleet_text)
    if again_s is not None:
        watch(lambda: _show(fleet, as_json, phase, held, limit), again_s)
    _show(fleet, as_json, phase, held, limit)


def _show(fleet: Fleet, as_json: bool, phases: tuple[str, ...], held: bool, limit: int) -> None:
    with ledger_of(fleet) as ledger:
        state = ledger.load()
    now_ms = time.time_ns() // 1_000_000
    chosen = [t for t in _in_order(state) if _wanted(t, phases, held)]
    if as_json:
        emit_json(
            "tasks", fleet=fleet.name, at_ms=now_ms, matching=len(chosen), tasks=chosen[:limit]
        )
        return
    emit_table(
        ("TASK", "PRIO", "PHASE", "AGENT", "CLIENT", "AGE", "TRIES", "COST", "WHY", "TEXT"),
        (_row(task, now_ms) for task in chosen[:limit]),
        empty="No tasks match." if phases or held else "No tasks yet; fleet-tui submit gives one.",
    )
    if len(chosen) > limit:
        click.echo(f"{len(chosen) - limit} more; --limit shows them")


def _in_order(state: FleetState) -> Iterator[Task]:
    yield from sorted(state.open_tasks.values(), key=lambda t: t.number)
    yield from sorted(state.ended_tasks(), key=lambda t: t.ended_at_ms or 0, reverse=True)


def _wanted(task: Task, phases: tuple[str, ...], held: bool) -> bool:
    if phases and task.phase.value not in phases:
        return False
    return not held or (task.pending is not None and task.pending.code.is_held)


def _row(task: Task, now_ms: int) -> list[str]:
    last = task.attempt
    why = task.reason or (task.pending.detail if task.pending is not None else "")
    if last is not None and last.phase.is_open:
        why = last.phase.value
    return [
        task.label,
        task.spec.priority.name,
        task.phase,
        last.agent if last is not None else "-",
        task.spec.client or "-",
        words.age(task.submitted_at_ms, now_ms),
        str(len(task.attempts)),
        words.money(task.cost_microusd) if task.cost_microusd else "-",
        safe_line(why, 60),
        safe_line(task.spec.payload, 40),
    ]
