"""Shows health, queue, alerts, routing and logs on one screen."""

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from fleet_tui.console.shell.band import Band
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import NARROW, FleetScreen
from fleet_tui.console.views.agents.pane import HealthPane
from fleet_tui.console.views.alerts.pane import AlertsPane
from fleet_tui.console.views.logs.pane import LogsPane
from fleet_tui.console.views.overview.side import SidePane
from fleet_tui.console.views.queue.pane import QueuePane
from fleet_tui.console.views.routing.pane import RoutingPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.console.widgets.timeline_band import BAND_LINES, TimelineBand
from fleet_tui.feed.feed import View

QUEUE_LINE = 1
"""Lines of the queue where panes are stacked."""


class Heights(NamedTuple):
    """Lines of the three stacked parts, frames included."""

    top: int
    routing: int
    logs: int


_LEAST = Heights(5, 2, 3)
"""Health never below four agents and its header, routing two lines, logs three."""

_STACKED = Heights(9, 4, 6)
"""For an 80x24 terminal."""

_BOXED = Heights(17, 6, 8)
"""For a 120x40 terminal."""


def heights(room: int, agents: int, *, boxed: bool) -> Heights:
    """How ``room`` lines are shared. When there are few, logs shrink first, then routing."""
    frame = 2 if boxed else 1
    frames = Heights(2 if boxed else 0, frame, frame)
    goal = _BOXED if boxed else _STACKED
    top, routing, logs = (a + b for a, b in zip(_LEAST, frames, strict=True))
    spare = room - top - routing - logs

    def grow(now: int, wanted: int) -> int:
        nonlocal spare
        more = max(0, min(spare, wanted - now))
        spare -= more
        return now + more

    top = grow(top, goal.top + frames.top)
    routing = grow(routing, goal.routing + frames.routing)
    logs = grow(logs, goal.logs + frames.logs)
    top = grow(top, agents + 1 + frames.top)
    routing = grow(routing, goal.routing + 2 + frames.routing)
    return Heights(top, routing, logs + max(0, spare))


class OverviewScreen(FleetScreen):
    """The first screen: health, queue, routing decisions, logs."""

    help_text: ClassVar[str] = (
        "One screen for agent health, the queue, routing decisions and logs.\n{pane.next} goes "
        "from pane to pane, {zoom} shows one alone, {open} opens what a row stands for."
    )

    _shared_for = (0, 0)
    """The number of agents and of other lines when space was last shared out."""

    def compose_body(self) -> ComposeResult:
        """Three parts: agents beside queue and alerts; routing; logs."""
        with Horizontal(id="top", classes="part"):
            yield SidePane(id="side")
            yield HealthPane(id="health")
            with Vertical(id="right", classes="part"):
                yield QueuePane(id="queue")
                yield AlertsPane(id="alerts")
        yield RoutingPane(id="routing")
        yield LogsPane(id="logs")

    def show(self, previous: View | None, view: View) -> None:
        """Show a view; a new number of agents or other lines shares the space again."""
        agents = len(view.state.agents), self._lines_around()
        if previous is None or agents != self._shared_for:
            self._shared_for = agents
            self._share()
        super().show(previous, view)

    def on_mount(self) -> None:
        """Focus the agents at first."""
        super().on_mount()
        self.set_focus(self.query_one("#health", HealthPane).focus_target())

    def on_resize(self, event: events.Resize | None = None) -> None:
        """Share the space again."""
        del event
        super().on_resize()
        self._share()

    def _lines_around(self) -> int:
        """Lines that other parts of the screen take temporarily."""
        taken = self.query_one(Band).taken + self.query_one("#banner").display
        return taken + BAND_LINES * self.query_one(TimelineBand).display

    def _share(self) -> None:
        if self.has_class("-zoomed"):
            for name in ("#top", "#routing", "#logs"):
                self.query_one(name).styles.height = "1fr"
            return
        width, height = self.size
        boxed = width >= NARROW
        agents = len(self.console.view.state.agents)
        around = (3 if boxed else 2 + QUEUE_LINE) + self._lines_around()
        shared = heights(height - around, agents, boxed=boxed)
        top = shared.top if boxed else shared.top + QUEUE_LINE
        self.query_one("#top").styles.height = top
        self.query_one("#routing").styles.height = shared.routing
        self.query_one("#logs").styles.height = shared.logs

    def toggle_zoom(self) -> None:
        """One pane alone takes all lines."""
        super().toggle_zoom()
        self._share()

    @on(FleetTable.RowOpened)
    def _opened(self, event: FleetTable.RowOpened) -> None:
        event.stop()
        pane, chosen = self.pane_in_focus(), self.selection()
        if isinstance(pane, RoutingPane) and chosen.decision:
            self.console.go(Place("why", chosen.decision))
        elif chosen.agents:
            self.console.go(Place("agent", chosen.agents[0]))
