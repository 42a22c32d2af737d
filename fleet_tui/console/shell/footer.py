"""The keys shown in the footer: those of available actions."""

from collections.abc import Sequence

from fleet_tui.console.actions.action import Action
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.console.actions.selection import Context, Scope
from fleet_tui.console.shell.keymap import SHIPPED, Keymap
from fleet_tui.console.widgets.lines import KeyHint

_LAST = ("help", "back")
"""Placed at the right end, in this order."""

_TIME = (
    (("pause",), "play"),
    (("review.back", "review.step"), "step"),
    (("review.previous", "review.next"), "event"),
    (("review.slower", "review.faster"), "speed"),
    (("window",), "go to time"),
    (("review.end",), "last"),
)
"""In a recording, keys that move through time come first, both directions in one hint."""

_TIME_PRIORITY = 98


def _hint(action: Action, keys: Keymap) -> KeyHint:
    return KeyHint(keys.shown(action), action.label, action.name, action.footer)


def _time_hints(keys: Keymap) -> list[KeyHint]:
    made: list[KeyHint] = []
    for names, label in _TIME:
        shown = " ".join(keys.shown(BY_NAME[name]) for name in names)
        made.append(KeyHint(shown, label, names[-1], _TIME_PRIORITY))
    return made


def hints(context: Context, keys: Keymap = SHIPPED) -> Sequence[KeyHint]:
    """The keys to offer, the most useful first, help and the way back last."""
    offered = [
        action for action in ACTIONS if action.footer and action.disabled_reason(context) is None
    ]
    offered.sort(key=lambda action: (action.name in _LAST, -action.footer))
    if Scope.REVIEW not in context.scopes:
        return [_hint(action, keys) for action in offered]
    in_time = {name for names, _ in _TIME for name in names}
    rest = [_hint(action, keys) for action in offered if action.name not in in_time]
    return [*_time_hints(keys), *rest]
