"""Alerts: what wants an operator's eyes now, then what was over not long ago."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.views.alerts import rows
from fleet_tui.console.views.alerts.pane import AllAlertsPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.core.alerting.model import Alert
from fleet_tui.core.ids import AgentName
from fleet_tui.feed.feed import View

MAX_OVER = 50
"""Alerts that are over and still listed."""


class AlertsListPane(AllAlertsPane):
    """Open alerts as everywhere, and below them the newest that are over."""

    empty_text = (
        "No alerts: nothing asks for you, and nothing did before. {overview} shows the fleet."
    )

    def records(self, view: View) -> Sequence[Alert]:
        """Open ones first; an id that is open or came back is listed once."""
        listed = rows.open_alerts(view.state)
        known = {alert.id for alert in listed}
        for alert in reversed(view.state.closed_alerts[-MAX_OVER:]):
            if alert.id not in known:
                known.add(alert.id)
                listed.append(alert)
        return listed

    def is_problem(self, record: Alert) -> bool:
        """Open, loud, and nobody has it in hand."""
        return record.resolved_at_ms is None and super().is_problem(record)

    def titles(self) -> Sequence[Cell]:
        """``Alerts - 3 open, 12 over``."""
        over = sum(alert.resolved_at_ms is not None for alert in self.all_records)
        open_count = len(self.all_records) - over
        cells = [Cell("Alerts", Tone.TITLE)]
        cells.append(Cell(f" - {open_count} open", Tone.ERROR if open_count else Tone.PLAIN))
        return [*cells, Cell(f", {over} over", Tone.DIM)] if over else cells


_OF_THE_FLEET = {
    "dead letters": Place("dead"),
    "tasks": Place("tasks", query="state:needs-operator"),
    "runs": Place("tasks", query="state:unknown"),
    "queue": Place("tasks", query="state:waiting or state:held"),
}
"""Subjects of conditions that belong to no agent, pool or task."""


def subject_place(subject: str, view: View) -> Place | None:
    """Where to read about the subject of an alert; pools lead to their agents."""
    state = view.state
    if subject in _OF_THE_FLEET:
        return _OF_THE_FLEET[subject]
    if AgentName(subject) in state.agents:
        return Place("agent", subject)
    if state.find_task(subject) is not None:
        return Place("task", subject)
    if subject in state.fleet.pools:
        return Place("agents", query=f"pool:{subject}")
    if state.may_have_had(subject):
        return Place("task", subject)
    return None


class AlertsScreen(FleetScreen):
    """The view of key 7."""

    help_text: ClassVar[str] = AlertsListPane.help_text

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield AlertsListPane(id="alerts")

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        """The agent, task or pool it is about."""
        event.stop()
        records = self.query_one(AlertsListPane).shown_records
        found = next((alert for alert in records if alert.id == event.row_id), None)
        view = self.shown
        if found is not None and view is not None:
            place = subject_place(found.subject, view)
            if place is not None:
                self.console.go(place)
