"""The menu of all acting actions."""

from fleet_tui.console.actions.action import Action, ActionEffect
from fleet_tui.console.actions.menus import Choice, Menu
from fleet_tui.console.actions.registry import ACTIONS
from fleet_tui.console.actions.selection import Context
from fleet_tui.console.shell.keymap import Keymap


class ActionsMenu(Menu[Action]):
    """All acting actions, with their keys and why they are unavailable."""

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
