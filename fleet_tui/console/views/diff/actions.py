"""Opens the diff: before an alert, or over the window of the charts."""

from fleet_tui.console.actions.action import Action, Group
from fleet_tui.console.actions.selection import Selection
from fleet_tui.console.host import Stage
from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.diff.span import Span

BEFORE_ALERT_MS = 900_000
"""How far before an alert the diff begins."""


def _diff(screen: Stage, chosen: Selection) -> None:
    console, view = screen.console, screen.console.view
    alerts = [*view.state.alerts.values(), *reversed(view.state.closed_alerts)]
    alert = next((each for each in alerts if each.id in chosen.alerts[:1]), None)
    after_ms = view.now_ms if alert is None else alert.raised_at_ms
    back_ms = console.window_ms if alert is None else BEFORE_ALERT_MS
    console.go(Place("diff", Span(after_ms - back_ms, after_ms).subject))


DIFF_ACTIONS = (
    Action(
        name="diff",
        title="show what changed",
        keys=("equals_sign",),
        group=Group.MOVE,
        run=_diff,
        label="diff",
        footer=18,
        help="In the 15 minutes before the selected alert, else within the window of the charts.",
    ),
)
