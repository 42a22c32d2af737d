"""Routes: every decision that is still remembered, each with its reason."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.views.routing.pane import RoutingPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.core.routing.record import DecisionRecord
from fleet_tui.core.text.filters.nodes import Value


class RoutesPane(RoutingPane):
    """The same lines as on the overview, on a screen of their own."""

    has_header: ClassVar[bool] = True
    filter_keys = RoutingPane.filter_keys | {"kind", "strategy", "client", "score", "margin"}
    help_text = (
        RoutingPane.help_text + "\n"
        "Also: kind:held|waits|failover strategy:load-aware client:acme score<0.5 margin<0.05"
    )

    def value(self, record: DecisionRecord, key: str) -> Value:
        """A decision's values beyond the columns."""
        decision = record.decision
        match key:
            case "strategy":
                return decision.strategy.value
            case "score":
                return decision.candidates[0].score if decision.candidates else None
            case "margin":
                return decision.margin
            case "client":
                task = self.view.state.task(record.task) if self.view is not None else None
                return task.spec.client if task is not None else None
            case _:  # the columns
                return super().value(record, key)

    @on(FleetTable.RowOpened)
    def _open(self, event: FleetTable.RowOpened) -> None:
        """The reasons for this very decision, even when the task was placed again since."""
        event.stop()
        decision = self.selection().decision
        if decision:
            self.console.go(Place("why", decision))


class RoutesScreen(FleetScreen):
    """The view of key 5."""

    help_text = RoutesPane.help_text

    def compose_body(self) -> ComposeResult:
        """One table."""
        yield RoutesPane()
