"""Actions of the console itself: commands, help, leaving."""

from fleet_tui.console.actions.action import (
    Action,
    Group,
)
from fleet_tui.console.shell.places import Place

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
        run=lambda screen, chosen: screen.console.go(Place("messages")),
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
