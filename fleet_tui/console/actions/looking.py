"""Read-only actions: views, moving, filtering, showing more, the console itself."""

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.action import (
    AGENTS,
    FILTER,
    LINES,
    PROBLEMS,
    REVIEW,
    ROWS,
    TASKS,
    Action,
    ActionRun,
    Group,
)
from fleet_tui.console.actions.selection import Scope, Selection
from fleet_tui.console.host import Stage
from fleet_tui.console.shell.places import TABS, Place


def _go(view: str) -> ActionRun:
    return lambda screen, chosen: screen.console.go(Place(view))


def _first_agent(view: str) -> ActionRun:
    return lambda screen, chosen: screen.console.go(Place(view, chosen.agents[0]))


def _details(screen: Stage, chosen: Selection) -> None:
    if chosen.tasks:
        screen.console.go(Place("task", chosen.tasks[0]))
    else:
        screen.console.go(Place("agent", chosen.agents[0]))


def _logs(screen: Stage, chosen: Selection) -> None:
    subject = chosen.tasks[0] if chosen.tasks else chosen.agents[0]
    screen.console.go(Place("logs", subject))


def tab_actions() -> tuple[Action, ...]:
    """One action per view of the tab line."""
    return tuple(
        Action(
            name=tab.view,
            title=f"{tab.title} view",
            keys=(tab.key,),
            group=Group.VIEWS,
            run=_go(tab.view),
            help=tab.help,
        )
        for tab in TABS
    )


MOVE_ACTIONS = (
    Action(
        name="open",
        title="open the row",
        keys=("enter",),
        group=Group.MOVE,
        run=None,
        bindings=("table.open",),
        label="open",
        footer=95,
        scopes=ROWS,
        help="Opens the agent, task or alert subject of the row.",
    ),
    Action(
        name="back",
        title="go back, or leave",
        keys=("q",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.back(may_leave=True),
        label="back",
        footer=60,
        help="Closes the zoom, filter, marks or screen first; on the last one, asks to leave.",
    ),
    Action(
        name="clear",
        title="clear, or go back",
        keys=("escape",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.back(may_leave=False),
        help="As q, but never leaves the console.",
    ),
    Action(
        name="last",
        title="switch to the last view",
        keys=("minus",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.console.last(),
        help="Toggles between the last two views.",
    ),
    Action(
        name="history.back",
        title="history back",
        keys=("left_square_bracket",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.console.travel(-1),
    ),
    Action(
        name="history.forward",
        title="history forward",
        keys=("right_square_bracket",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.console.travel(1),
    ),
    Action(
        name="pane.next",
        title="next pane",
        keys=("tab",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.step_focus(1),
        label="pane",
    ),
    Action(
        name="pane.previous",
        title="previous pane",
        keys=("shift+tab",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.step_focus(-1),
    ),
    Action(
        name="details",
        title="show details",
        keys=("d",),
        group=Group.MOVE,
        run=_details,
        label="details",
        footer=35,
        scopes=AGENTS | TASKS,
        help="Opens the page of the agent or task.",
        unavailable=reasons.no_other_details,
    ),
    Action(
        name="logs.of",
        title="show its logs",
        keys=("l",),
        group=Group.MOVE,
        run=_logs,
        label="logs",
        footer=80,
        scopes=AGENTS | TASKS,
        help="Shows only the lines of the selected agent or task.",
        unavailable=reasons.no_subject,
    ),
    Action(
        name="why",
        title="explain the routing",
        keys=("i",),
        group=Group.MOVE,
        run=lambda screen, chosen: screen.console.go(
            Place("why", chosen.decision or chosen.tasks[0])
        ),
        label="why",
        footer=78,
        scopes=TASKS,
        help="Shows why a task was placed where it is, or why it waits and what would help.",
        gives_way_to=Scope.LINES,
        unavailable=reasons.nothing_to_explain,
    ),
    Action(
        name="definition",
        title="show the definition",
        keys=("y",),
        group=Group.MOVE,
        run=_first_agent("definition"),
        label="definition",
        footer=20,
        scopes=AGENTS,
        help="Shows the agent's fleet file settings with defaults applied.",
        unavailable=reasons.no_other_definition,
    ),
)


def _move(
    name: str,
    title: str,
    keys: tuple[str, ...],
    *bindings: str,
    scopes: frozenset[Scope],
    gives_way_to: Scope | None = None,
) -> Action:
    return Action(
        name=name,
        title=title,
        keys=keys,
        group=Group.MOVE,
        run=None,
        bindings=bindings,
        scopes=scopes,
        gives_way_to=gives_way_to,
    )


_BOTH = ROWS | LINES

WIDGETS_ACTIONS = (
    _move("down", "down", ("down", "j"), "table.down", "log.down", scopes=_BOTH),
    _move("up", "up", ("up", "k"), "table.up", "log.up", scopes=_BOTH),
    _move(
        "page.down", "page down", ("pagedown",), "table.page-down", "log.page-down", scopes=_BOTH
    ),
    _move("page.up", "page up", ("pageup",), "table.page-up", "log.page-up", scopes=_BOTH),
    _move(
        "half.down", "half page down", ("ctrl+d",), "table.half-down", "log.half-down", scopes=_BOTH
    ),
    _move("half.up", "half page up", ("ctrl+u",), "table.half-up", "log.half-up", scopes=_BOTH),
    _move("first", "first", ("home", "g"), "table.first", "log.first", scopes=_BOTH),
    _move("last.row", "last, newest", ("G",), "table.last", "log.last", scopes=_BOTH),
    _move(
        "end",
        "last, newest",
        ("end",),
        "table.end",
        "log.end",
        scopes=_BOTH,
        gives_way_to=Scope.REVIEW,
    ),
    _move("side.right", "scroll right", ("right",), "log.right", scopes=LINES),
    _move("side.left", "scroll left", ("left",), "log.left", scopes=LINES),
    _move("match.next", "next match", ("n",), "log.next-match", scopes=LINES),
    _move("match.previous", "previous match", ("N",), "log.previous-match", scopes=LINES),
)

NARROW_ACTIONS = (
    Action(
        name="filter",
        title="filter",
        keys=("slash",),
        group=Group.NARROW,
        run=lambda screen, chosen: screen.open_filter(),
        label="filter",
        footer=90,
        scopes=FILTER,
        help="Filters while you type; enter keeps the filter, esc drops it.",
    ),
    Action(
        name="filter.toggle",
        title="filter off and on",
        keys=("backslash",),
        group=Group.NARROW,
        run=lambda screen, chosen: screen.toggle_filter(),
        scopes=FILTER,
        help="Keeps the filter's text and the cursor.",
    ),
    Action(
        name="problems",
        title="problems only",
        keys=("exclamation_mark",),
        group=Group.NARROW,
        run=lambda screen, chosen: screen.toggle_problems(),
        label="problems",
        footer=40,
        scopes=PROBLEMS,
        help="Shows only rows with problems; combines with the filter.",
    ),
    Action(
        name="sort",
        title="sort by",
        keys=("s",),
        group=Group.NARROW,
        run=lambda screen, chosen: screen.choose_sort(),
        label="sort",
        footer=25,
        scopes=ROWS,
        help="Chooses a column; choosing it again reverses the order.",
    ),
    Action(
        name="sort.left",
        title="sort by the column to the left",
        keys=("less_than_sign",),
        group=Group.NARROW,
        run=None,
        bindings=("table.sort-left",),
        scopes=ROWS,
        gives_way_to=Scope.REVIEW,
    ),
    Action(
        name="sort.right",
        title="sort by the column to the right",
        keys=("greater_than_sign",),
        group=Group.NARROW,
        run=None,
        bindings=("table.sort-right",),
        scopes=ROWS,
        gives_way_to=Scope.REVIEW,
    ),
    Action(
        name="mark",
        title="mark the row",
        keys=("space",),
        group=Group.NARROW,
        run=None,
        bindings=("table.mark",),
        label="mark",
        footer=50,
        scopes=ROWS,
        help="Actions apply to all marked rows; esc clears the marks.",
    ),
    Action(
        name="mark.range",
        title="mark a range",
        keys=("v",),
        group=Group.NARROW,
        run=None,
        bindings=("table.mark-range",),
        scopes=ROWS,
    ),
    Action(
        name="mark.all",
        title="mark all rows",
        keys=("asterisk",),
        group=Group.NARROW,
        run=None,
        bindings=("table.mark-all",),
        scopes=ROWS,
    ),
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

REVIEW_ACTIONS = (
    Action(
        name="review.back",
        title="one event back",
        keys=("comma",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.step(-1),
        label="back",
        footer=70,
        scopes=REVIEW,
    ),
    Action(
        name="review.step",
        title="one event on",
        keys=("full_stop",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.step(1),
        label="step",
        footer=71,
        scopes=REVIEW,
    ),
    Action(
        name="review.previous",
        title="previous notable event",
        keys=("left_curly_bracket",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.next_mark(backward=True),
        scopes=REVIEW,
    ),
    Action(
        name="review.next",
        title="next notable event",
        keys=("right_curly_bracket",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.next_mark(backward=False),
        label="event",
        footer=69,
        scopes=REVIEW,
    ),
    Action(
        name="review.slower",
        title="play slower",
        keys=("less_than_sign",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.change_speed(0.5),
        scopes=REVIEW,
    ),
    Action(
        name="review.faster",
        title="play faster",
        keys=("greater_than_sign",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.change_speed(2.0),
        label="faster",
        footer=68,
        scopes=REVIEW,
    ),
    Action(
        name="review.end",
        title="go to the end, or back to the live fleet",
        keys=("end",),
        group=Group.REVIEW,
        run=lambda screen, chosen: screen.console.playback.to_the_end(),
        label="end",
        footer=66,
        scopes=REVIEW,
        help="Returns to the live fleet if there is one, else to the end of the recording.",
    ),
)

CONSOLE_ACTIONS = (
    Action(
        name="command",
        title="command line",
        keys=("colon",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.open_command_line(),
        label="command",
        footer=88,
        help="Runs any view or verb by name; unique prefixes are enough, tab completes.",
    ),
    Action(
        name="palette",
        title="palette",
        keys=("ctrl+p",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.console.open_palette(),
        help="Finds any action, agent or task by some of its letters.",
    ),
    Action(
        name="menu",
        title="actions menu",
        keys=("a",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.open_menu(),
        help="Lists all actions with their keys and why they are unavailable.",
    ),
    Action(
        name="help",
        title="help",
        keys=("question_mark", "f1"),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.open_help(),
        label="help",
        footer=100,
        help="Lists the keys of the pane in focus, then all others.",
    ),
    Action(
        name="messages",
        title="messages",
        keys=("at",),
        group=Group.CONSOLE,
        run=_go("messages"),
        help="Lists the console's messages and your commands.",
    ),
    Action(
        name="redraw",
        title="redraw",
        keys=("ctrl+l",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.console.redraw(),
    ),
    Action(
        name="suspend",
        title="suspend to the shell",
        keys=("ctrl+z",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.console.action_suspend_process(),
        help="fg resumes the console.",
    ),
    Action(
        name="copy.marked",
        title="copy what the mouse marked",
        keys=("ctrl+c",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.copy_marked(),
        help="Never quits; ctrl+q quits.",
    ),
    Action(
        name="quit",
        title="quit",
        keys=("ctrl+q",),
        group=Group.CONSOLE,
        run=lambda screen, chosen: screen.console.leave(),
        label="quit",
        footer=5,
        help="The engine and the fleet keep running.",
    ),
)
