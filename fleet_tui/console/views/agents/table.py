"""Every agent with every column."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.views.agents.pane import AgentsPane
from fleet_tui.console.widgets.fleet_table import FleetTable


class AgentsScreen(FleetScreen):
    """The health table on the whole screen."""

    help_text: ClassVar[str] = AgentsPane.help_text

    def compose_body(self) -> ComposeResult:
        """The table."""
        yield AgentsPane(id="agents")

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        self.console.go(Place("agent", event.row_id))
