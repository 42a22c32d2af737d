"""Actions that move: between views, along the history, within tables and lines."""

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.action import (
    AGENTS,
    LINES,
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
