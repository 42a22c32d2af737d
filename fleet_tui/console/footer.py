"""Which keys the foot of the screen offers: those of the registry that do something now."""

from collections.abc import Sequence

from fleet_tui.console.action import Action
from fleet_tui.console.actions import ACTIONS
from fleet_tui.console.keymap import SHIPPED, Keymap
from fleet_tui.console.selection import Context
from fleet_tui.console.widgets.lines import KeyHint

_LAST = ("help", "back")
"""These stand at the right end, in this order."""


def _hint(action: Action, keys: Keymap) -> KeyHint:
    return KeyHint(keys.shown(action), action.label, action.name, action.footer)


def hints(context: Context, keys: Keymap = SHIPPED) -> Sequence[KeyHint]:
    """The keys to offer, the most useful first, help and the way back last."""
    offered = [
        action for action in ACTIONS if action.footer and action.disabled_reason(context) is None
    ]
    offered.sort(key=lambda action: (action.name in _LAST, -action.footer))
    return [_hint(action, keys) for action in offered]
