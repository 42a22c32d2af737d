"""Actions of log lines."""

from fleet_tui.console.actions.action import (
    LINES,
    Action,
    Group,
)

LOG_ACTIONS = (
    Action(
        name="follow",
        title="follow the newest lines",
        keys=("f",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.toggle_follow(),
        bindings=("log.follow",),
        label="follow",
        footer=45,
        scopes=LINES,
    ),
    Action(
        name="error.next",
        title="next error",
        keys=("e",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.next_error(1),
        bindings=("log.next-error",),
        label="error",
        footer=44,
        scopes=LINES,
    ),
    Action(
        name="error.previous",
        title="previous error",
        keys=("E",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.next_error(-1),
        bindings=("log.previous-error",),
        scopes=LINES,
    ),
    Action(
        name="histogram",
        title="show the histogram",
        keys=("i",),
        group=Group.SHOW,
        run=lambda screen, chosen: screen.toggle_histogram(),
        bindings=("log.histogram",),
        label="histogram",
        footer=43,
        scopes=LINES,
        help="Counts the filtered lines over time, with warnings and errors separate.",
    ),
)
