"""The operator's own keys: ``keys.yaml`` beside the other settings, one action per line.

    cordon: f7            # a key
    page.down: [pagedown, ctrl+f]

A line that cannot be used is reported and left out; everything else works as shipped. Acting
actions are restricted to UPPER CASE and function keys, whatever the file has.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet_tui.console.actions.action import Action, ActionEffect, key_text
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.core.text.firewall import safe_line

FILE_NAME = "keys.yaml"
MAX_FILE_BYTES = 65_536

_CHARACTERS = {
    "/": "slash",
    "\\": "backslash",
    "!": "exclamation_mark",
    "?": "question_mark",
    ":": "colon",
    "@": "at",
    "-": "minus",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "{": "left_curly_bracket",
    "}": "right_curly_bracket",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    "*": "asterisk",
    ",": "comma",
    ".": "full_stop",
    "'": "apostrophe",
    "=": "equals_sign",
    "+": "plus",
    "esc": "escape",
    "pgdn": "pagedown",
    "pgup": "pageup",
}

_NAMED = (
    r"escape|enter|space|tab|backspace|delete|insert|home|end|up|down|left|right|page(?:up|down)"
)
_KEY = re.compile(
    rf"[A-Za-z0-9]|[a-z]+(?:_[a-z]+)+|at|colon|comma|minus|plus|slash|backslash|f1?\d"
    rf"|asterisk|apostrophe|(?:shift\+)?(?:{_NAMED})|ctrl\+[a-z]"
)

_NAMED_ACTION = re.compile(r"\{([a-z]+(?:\.[a-z]+)*)\}")

IMPOSSIBLE: Mapping[str, str] = {
    "ctrl+i": "terminals send tab for it",
    "ctrl+m": "terminals send enter for it",
    "ctrl+h": "terminals send backspace for it",
    "ctrl+j": "terminals send enter for it",
    "ctrl+c": "it copies what the mouse marked",
}


@dataclass(frozen=True)
class Keymap:
    """The keys of every action that has others than the shipped ones."""

    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Action name -> keys as Textual names them."""
    problems: tuple[str, ...] = ()
    """Lines that could not be used, one message each, safe text."""

    def of(self, action: Action) -> tuple[str, ...]:
        """The keys of an action."""
        return self.own.get(action.name, action.keys)

    def shown(self, action: Action) -> str:
        """The first key of an action, as people write it."""
        return key_text(self.of(action)[0])

    def beside_typing(self, action: Action) -> str:
        """The first key of an action that would not be typed into a field in focus, as people write
        it; its first key where all of them would."""
        shown = [key_text(key) for key in self.of(action)]
        return next((key for key in shown if len(key) > 1), shown[0])

    def keyed(self, text: str) -> str:
        """The text with each action replaced by its first key: ``{submit} submits one`` is ``T
        submits one`` as shipped. Only for our own text."""
        return _NAMED_ACTION.sub(lambda found: self.shown(BY_NAME[found[1]]), text)

    def all_shown(self, action: Action) -> str:
        """Every key of an action, as people write them."""
        return " ".join(key_text(key) for key in self.of(action))

    def bindings(self) -> dict[str, str]:
        """Binding id -> keys, for :meth:`textual.app.App.set_keymap`."""
        return {
            binding: ",".join(keys)
            for name, keys in self.own.items()
            for binding in (name, *BY_NAME[name].bindings)
        }


SHIPPED = Keymap()


def own_keys(env: Mapping[str, str]) -> Path:
    """The file of the operator's keys: ``$XDG_CONFIG_HOME/fleet-tui/keys.yaml``."""
    home = env.get("XDG_CONFIG_HOME") or ""
    base = Path(home) if home.startswith("/") else Path(env.get("HOME") or "~") / ".config"
    return base.expanduser() / "fleet-tui" / FILE_NAME


def read(path: Path) -> Keymap:
    """The keys in a file, which need not exist. Never raises for its content."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return SHIPPED
    except OSError as error:
        return Keymap(problems=(f"{safe_line(str(path))} cannot be read: {error.strerror}",))
    from fleet_tui.config import reader  # noqa: PLC0415 - only those who have a file need it

    source = reader.decode(path.name, data)
    if len(data) > MAX_FILE_BYTES:
        source.error(None, f"larger than {MAX_FILE_BYTES // 1024} KiB")
    tree = None if source.errors else reader.read(source)
    wanted: dict[str, list[str]] = {}
    if isinstance(tree, reader.Mapping):
        for name, entry in tree.entries.items():
            nodes = entry.value.items if isinstance(entry.value, reader.Sequence) else [entry.value]
            wanted[name] = [node.text for node in nodes if isinstance(node, reader.Scalar)]
    elif tree is not None:
        source.error(None, "must be a list of actions and their keys")
    problems = tuple(f"{path.name}: {safe_line(problem.message)}" for problem in source.in_order())
    made = make(wanted)
    return Keymap(made.own, (*problems, *made.problems))


def make(wanted: Mapping[str, Sequence[str]]) -> Keymap:
    """A keymap of the usable entries of ``wanted``: action name -> keys as people write them."""
    own: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for name, texts in wanted.items():
        problem = _problem(name, texts)
        if problem:
            problems.append(f"{FILE_NAME}: {safe_line(name)}: {problem}")
            continue
        keys = tuple(_CHARACTERS.get(text, text) for text in texts)
        clash = _clash(BY_NAME[name], keys, own)
        if clash:
            problems.append(f"{FILE_NAME}: {name}: {clash}")
        else:
            own[name] = keys
    return Keymap(own, tuple(problems))


def _problem(name: str, texts: Sequence[str]) -> str:
    """What is wrong with one line, in words; empty when nothing is."""
    action = BY_NAME.get(name)
    if action is None:
        near = difflib.get_close_matches(name, list(BY_NAME), 1)
        return "there is no such action" + (f" - did you mean {near[0]}?" if near else "")
    if not texts:
        return "needs a key, or a list of keys"
    for text in texts:
        key = _CHARACTERS.get(text, text)
        if key in IMPOSSIBLE and key not in action.keys:
            return f"{key} cannot be used: {IMPOSSIBLE[key]}"
        if _KEY.fullmatch(key) is None:
            return f"{safe_line(text)} is not a key"
        loud = (len(key) == 1 and key.isupper()) or re.fullmatch(r"f1?\d", key) is not None
        if action.effect is ActionEffect.ACTS and not loud:
            return f"{safe_line(text)}: what acts needs an UPPER-CASE or function key"
    return ""


def _clash(action: Action, keys: Sequence[str], own: Mapping[str, tuple[str, ...]]) -> str:
    """Another action that has one of the keys, if a pane may offer both."""
    for other in ACTIONS:
        taken = set(keys) & set(own.get(other.name, other.keys))
        if taken and other is not action and not action.shares_keys_with(other):
            return f"{key_text(min(taken))} is taken by {other.name}"
    return ""
