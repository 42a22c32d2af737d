"""Alerts: open ones, then recently resolved ones."""

from collections.abc import Sequence
from typing import ClassVar, assert_never

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.views.alerts import rows
from fleet_tui.console.views.alerts.pane import AllAlertsPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.alerting.rules import AlertRule, rule_of
from fleet_tui.core.ids import AgentName
from fleet_tui.feed.feed import View

MAX_OVER = 50
"""Resolved alerts that are listed."""


class AlertsListPane(AllAlertsPane):
    """Open alerts as elsewhere, and below them the newest resolved ones."""

    empty_text = "No alerts, now or earlier. {overview} shows the fleet."

    def records(self, view: View) -> Sequence[Alert]:
        """Open ones first; an id that is open or was raised again is listed once."""
        listed = rows.open_alerts(view.state)
        known = {alert.id for alert in listed}
        for alert in reversed(view.state.closed_alerts[-MAX_OVER:]):
            if alert.id not in known:
                known.add(alert.id)
                listed.append(alert)
        return listed

    def is_problem(self, record: Alert) -> bool:
        """Open, severe, and not acknowledged."""
        return record.resolved_at_ms is None and super().is_problem(record)

    def titles(self) -> Sequence[Cell]:
        """``Alerts - 3 open, 12 over``."""
        over = sum(alert.resolved_at_ms is not None for alert in self.all_records)
        open_count = len(self.all_records) - over
        cells = [Cell("Alerts", Tone.TITLE)]
        cells.append(Cell(f" - {open_count} open", Tone.ERROR if open_count else Tone.PLAIN))
        return [*cells, Cell(f", {over} over", Tone.DIM)] if over else cells


def alert_place(alert: Alert, view: View) -> Place | None:
    """The place that explains an alert; pools lead to their agents. None for those without a page:
    the band on every screen shows them."""
    rule = rule_of(alert.id)
    match rule:
        case (
            AlertRule.AGENT_UNREACHABLE
            | AlertRule.AGENT_DOWN
            | AlertRule.AGENT_QUARANTINED
            | AlertRule.AGENT_DEGRADED
            | AlertRule.AGENT_STARTING
            | AlertRule.AGENT_FAILING
        ):
            is_known = AgentName(alert.subject) in view.state.agents
            return Place("agent", alert.subject) if is_known else None
        case AlertRule.FAILOVER_BRAKED | AlertRule.POOL_EMPTY:
            return Place("agents", query=f"pool:{alert.subject}")
        case AlertRule.DEAD_LETTERS:
            return Place("dead")
        case AlertRule.NEEDS_OPERATOR:
            return Place("tasks", query="state:needs-operator")
        case AlertRule.UNKNOWN_RUNS:
            return Place("tasks", query="state:unknown")
        case AlertRule.HELD | AlertRule.RETRY_BUDGET | AlertRule.LONG_WAIT:
            return Place("tasks", query="state:waiting or state:held")
        case (
            AlertRule.ENGINE_HOLD
            | AlertRule.ENGINE_TROUBLE
            | AlertRule.FLEET_FILE
            | AlertRule.MODEL_OUTAGE
        ):
            return None
        case None:
            return _place_called(alert.subject, view)
        case _:
            assert_never(rule)


def _place_called(subject: str, view: View) -> Place | None:
    """The place that explains an alert of another release."""
    state = view.state
    if AgentName(subject) in state.agents:
        return Place("agent", subject)
    if state.find_task(subject) is not None or state.may_have_had(subject):
        return Place("task", subject)
    if subject in state.fleet.pools:
        return Place("agents", query=f"pool:{subject}")
    return None


class AlertsScreen(FleetScreen):
    """The view of key 7."""

    help_text: ClassVar[str] = AlertsListPane.help_text

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield AlertsListPane(id="alerts")

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        """Open its agent, task or pool."""
        event.stop()
        records = self.query_one(AlertsListPane).shown_records
        found = next((alert for alert in records if alert.id == event.row_id), None)
        view = self.shown
        if found is not None and view is not None:
            place = alert_place(found, view)
            if place is not None:
                self.console.go(place)
