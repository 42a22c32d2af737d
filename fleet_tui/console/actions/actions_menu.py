"""The menu of everything that acts."""

from fleet_tui.console.actions.action import Action, ActionEffect
from fleet_tui.console.actions.menus import Choice, Menu
from fleet_tui.console.actions.registry import ACTIONS
from fleet_tui.console.actions.selection import Context
from fleet_tui.console.shell.keymap import Keymap


class ActionsMenu(Menu[Action]):
    """Everything that acts, with its key and why it is unavailable now."""

    def __init__(self, context: Context, keys: Keymap) -> None:
        choices = [
            Choice(
                action,
                keys.shown(action),
                action.title,
                action.disabled_reason(context) or "",
            )
            for action in ACTIONS
            if action.effect is ActionEffect.ACTS
        ]
        super().__init__("Actions - the plan is shown before anything is done", choices)
