"""The type of an action. :mod:`fleet_tui.console.actions.registry` has all of them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from fleet_tui.console.actions import reasons
from fleet_tui.console.actions.selection import Context, Scope, Selection
from fleet_tui.console.host import Stage
from fleet_tui.feed.feed import Link, Mode

ENGINE_AWAY = "the engine does not answer: nothing can be changed now"

ActionRun = Callable[[Stage, Selection], Awaitable[None] | None]


class ActionEffect(StrEnum):
    """Whether an action can change anything in the fleet."""

    LOOKS = "looks"
    ACTS = "acts"


class Group(StrEnum):
    """The chapters of the help."""

    VIEWS = "Views"
    MOVE = "Move and open"
    NARROW = "Filter, sort, mark"
    SHOW = "Show more"
    ACT = "Act (the plan is shown first)"
    REVIEW = "In a recording"
    CONSOLE = "The console"


ANYWHERE = frozenset({Scope.ANYWHERE})
ROWS = frozenset({Scope.ROWS})
FILTER = frozenset({Scope.FILTER})
PROBLEMS = frozenset({Scope.PROBLEMS})
LINES = frozenset({Scope.LINES})
AGENTS = frozenset({Scope.AGENTS})
TASKS = frozenset({Scope.TASKS})
REVIEW = frozenset({Scope.REVIEW})


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action of the console."""

    name: str
    """Stable: key maps and tests use it."""
    title: str
    """A few words, in the imperative."""
    keys: tuple[str, ...]
    """In Textual's notation; the first one is shown."""
    group: Group
    run: ActionRun | None
    """None where only the widget in focus can do it."""
    bindings: tuple[str, ...] = ()
    """Ids of widgets' own bindings that do this when they have the focus, by the same keys."""
    label: str = ""
    """One word for the footer."""
    footer: int = 0
    """Priority in the footer; 0 is not shown there."""
    scopes: frozenset[Scope] = ANYWHERE
    gives_way_to: Scope | None = None
    """In this scope another action has its keys."""
    effect: ActionEffect = ActionEffect.LOOKS
    command: str = ""
    """The ``:`` command that does the same, if it is not the name."""
    help: str = ""
    unavailable: Callable[[Context], str | None] = reasons.possible

    def shares_keys_with(self, other: "Action") -> bool:
        """Whether both may have one key, because they are never available at the same time."""
        return any(
            one.gives_way_to is not None and two.scopes == {one.gives_way_to}
            for one, two in ((self, other), (other, self))
        )

    def disabled_reason(self, context: Context) -> str | None:
        """Why this is unavailable now, for the operator; None when it is available."""
        if self.effect is ActionEffect.ACTS and not context.can_act:
            if context.view.mode is Mode.REVIEW:
                return "this is a recording: nothing can be changed"
            return "this console is read-only"
        if self.effect is ActionEffect.ACTS and context.view.link is Link.RECONNECTING:
            return ENGINE_AWAY
        engine = context.view.engine.mode
        if self.effect is ActionEffect.ACTS and not engine.takes_commands:
            return f"the engine is in {engine.label}: {engine.meaning}"
        if self.gives_way_to is not None and self.gives_way_to in context.scopes:
            return self.gives_way_to.takes_keys
        if not self.scopes & context.scopes:
            return f"needs {' or '.join(scope.text for scope in sorted(self.scopes))} in focus"
        return self.unavailable(context)


_KEY_NAMES = {
    "slash": "/",
    "backslash": "\\",
    "exclamation_mark": "!",
    "question_mark": "?",
    "colon": ":",
    "at": "@",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "asterisk": "*",
    "equals_sign": "=",
    "comma": ",",
    "full_stop": ".",
    "apostrophe": "'",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "f1": "F1",
}


def key_text(key: str) -> str:
    """A key as people write it: ``question_mark`` is ``?``."""
    return _KEY_NAMES.get(key, key)


def keys_text(action: Action) -> str:
    """All keys of an action, as people write them."""
    return " ".join(key_text(key) for key in action.keys)
