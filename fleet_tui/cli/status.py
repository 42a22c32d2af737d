"""``fleet-tui status``: fleet health in a few lines; exit 1 if anything needs attention."""

import click

from fleet_tui.base.errors import ExitCode
from fleet_tui.cli.common import (
    Fleet,
    emit_json,
    emit_table,
    engine_gone,
    engine_now,
    fleet_argument,
    json_option,
    ledger_of,
    say,
    silent_engine,
    was_killed,
    watch_option,
    watched,
)
from fleet_tui.cli.recordings import look_at
from fleet_tui.console.views.alerts.rows import open_alerts
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.status import FleetStatus, summarize
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line

MAX_SAID_CHARS = 160
"""Of the remote detail of an alert."""


@click.command()
@fleet_argument
@json_option
@watch_option
def status_command(fleet_text: str | None, as_json: bool, again_s: float | None) -> int:
    """Show fleet health from its ledger; no engine needs to run.

    Exits 0 if nothing needs an operator, 1 otherwise.
    """
    found = look_at(fleet_text)
    return watched(lambda: _show(found, as_json), again_s)


def _show(fleet: Fleet, as_json: bool) -> int:
    told = engine_now(fleet)
    with ledger_of(fleet, until=told.mode.trusted_seq if told is not None else None) as ledger:
        state = ledger.load()
    mode = told.mode if told is not None else state.engine.mode
    silent = silent_engine(fleet) if told is None else None
    now_ms = fleet.now_ms(state)
    status = summarize(state, now_ms)
    gone = engine_gone(fleet, state) if told is None else ""
    runs_well = mode.mode is EngineMode.NORMAL and silent is None
    runs_well = runs_well and not (gone and was_killed(state))
    is_healthy = status.is_healthy and runs_well
    if as_json:
        emit_json(
            "status",
            fleet=fleet.name,
            at_ms=now_ms,
            healthy=is_healthy,
            engine=_engine(state, mode) | {"answers": told is not None},
            status=status,
        )
    else:
        if silent is not None:
            say(f"engine runs and does not answer at its socket: {silent}")
            say("  what follows is from its ledger; a removed socket is recreated within seconds")
        _print(fleet, state, status, mode, now_ms, gone)
    return ExitCode.OK if is_healthy else ExitCode.FAILED


def _what(alert: Alert) -> str:
    """An alert in our own words, and its remote detail."""
    said = f": {safe_line(alert.detail, MAX_SAID_CHARS)}" if alert.detail else ""
    return alert.text + said


def _engine(state: FleetState, mode: ModeNow) -> dict[str, object]:
    engine = state.engine
    return {
        "epoch": engine.epoch,
        "pid": engine.pid,
        "version": engine.version,
        "stopped_at_ms": engine.stopped_at_ms,
        "last_event_at_ms": state.at_ms,
        "mode": mode.mode.value,
        "mode_reason": mode.reason,
        "mode_since_ms": mode.since_ms,
        "mode_by": mode.by,
        "trusted_seq": mode.trusted_seq,
    }


def _print(
    fleet: Fleet, state: FleetState, status: FleetStatus, mode: ModeNow, now_ms: int, gone: str
) -> None:
    if mode.mode is not EngineMode.NORMAL:
        who = f" (by {mode.by})" if mode.by else ""
        since = words.age(mode.since_ms, now_ms)
        say(f"engine {mode.mode.label} for {since}{who}: {mode.reason}")
        say(f"  {mode.mode.meaning}; {mode.way_out}")
    counts = ", ".join(f"{n} {health}" for health, n in status.by_health.items())
    say(f"{fleet.name}: {words.plural(status.agents, 'agent')} ({counts or 'none'})")
    by_priority = "  ".join(f"{p.name} {status.waiting_by_priority[p]}" for p in Priority)
    oldest = f", oldest {words.duration(status.oldest_wait_ms)}" if status.waiting else ""
    say(f"queue: {status.waiting} waiting{oldest}  {by_priority}")
    if status.held:
        say(f"       {status.held} held: waiting alone places none (fleet-tui tasks --held)")
    say(
        f"runs:  {status.running} running, {status.unknown} unknown, "
        f"{status.needs_operator} need an operator, slots {status.slots_used}/{status.slots}"
    )
    cost = words.cost_rate(status.cost_microusd_per_hour, is_unknown=status.has_unknown_cost)
    errors = "-" if status.error_rate is None else words.percent(status.error_rate * 100)
    say(
        f"rates: {status.tasks_per_minute:.1f} tasks/min, p95 {words.duration(status.run_ms_p95)}, "
        f"errors {errors}, {cost}"
    )
    alerts = open_alerts(state)
    if alerts:
        emit_table(
            ("ALERT", "ABOUT", "WHAT", "SINCE", "ACK"),
            [
                (
                    a.severity.value,
                    a.subject,
                    _what(a),
                    words.age(a.raised_at_ms, now_ms),
                    a.acked_by or "-",
                )
                for a in alerts
            ],
            empty="",
        )
    if gone:
        say(gone)
