"""Actions that show more or keep what is on screen, in every view."""

from fleet_tui.console.actions.action import (
    LINES,
    ROWS,
    Action,
    Group,
)

SHOW_ACTIONS = (
    Action(
        name="zoom",
        title="zoom the pane",
        keys=("z",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.toggle_zoom(),
        label="zoom",
        footer=28,
        help="Shows the pane on the whole screen; press again to restore.",
    ),
    Action(
        name="wide",
        title="other columns, or wrap lines",
        keys=("w",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.toggle_wide(),
        bindings=("log.wrap",),
        scopes=ROWS | LINES,
    ),
    Action(
        name="window",
        title="time window",
        keys=("t",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.console.next_window(),
        label="window",
        footer=27,
        help="Sets the window of charts and rates: 5m, 15m, 30m, 1h, 6h or 24h.",
    ),
    Action(
        name="pause",
        title="pause the display",
        keys=("p",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.console.toggle_pause(),
        label="pause",
        footer=30,
        help=(
            "Stops screen updates until pressed again; the fleet is not affected. In a "
            "recording: play."
        ),
    ),
)

KEEP_ACTIONS = (
    Action(
        name="copy",
        title="copy the row",
        keys=("c",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.copy(chosen),
        label="copy",
        footer=15,
        help=(
            "Copies to the terminal clipboard (OSC 52), the tmux buffer and a file, and reports "
            "which succeeded."
        ),
    ),
    Action(
        name="save",
        title="save what is on screen",
        keys=("ctrl+s",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.console.save_view(),
        help="Saves text and an SVG picture and reports the path.",
    ),
)
