"""Open alerts on a screen of their own."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.panes.alerts import AllAlertsPane
from fleet_tui.console.places import Place
from fleet_tui.console.screens.base import FleetScreen
from fleet_tui.console.widgets.fleet_table import FleetTable


class AlertsScreen(FleetScreen):
    """The alerts with what is known about each."""

    help_text: ClassVar[str] = AllAlertsPane.help_text

    def compose_body(self) -> ComposeResult:
        """The table."""
        yield AllAlertsPane(id="alerts")

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        agents = self.selection().agents
        if agents:
            self.console.go(Place("agent", agents[0]))
