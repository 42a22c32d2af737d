"""Texts name keys by what they do: ``keys.yaml`` can give every action of the registry others.

A key that stands in a text is found where it is said to do something (``T submits``), in front of a
place (``7: alerts``) and where it is painted or offered as a key. What is said in another way is
not found.
"""

import ast
import re
from collections.abc import Iterator

from fleet_tui.console.actions.action import key_text
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from tests.hygiene.sources import Source, modules

FIXED = {
    "fleet_tui/console/shell/palette.py": "a list to choose from has keys of its own",
    "fleet_tui/console/views/help/first_run.py": "another application, without the registry",
    "fleet_tui/console/views/submit/screen.py": "enter belongs to the field in focus",
    "fleet_tui/console/views/tasks/verdict.py": "a card has keys of its own",
    "fleet_tui/console/widgets/dialogs.py": "cards have keys of their own",
    "fleet_tui/console/widgets/form.py": "a button has keys of its own",
}
"""Modules whose keys are not those of the registry, and whose they are."""

OTHERS = "fleet_tui/console/actions/"
"""Its texts stand in the registry itself."""

NO_VERBS = "is|was|has|its|this|always|tasks|agents|lines|rows|alerts|slots"
WORDS_TOO = {*"-,.*[]", "end", "home", "up", "down", "left", "right"}
"""Keys that stand in sentences anyway."""
KEYS = "|".join(
    re.escape(key)
    for key in sorted({key_text(key) for each in ACTIONS for key in each.keys} - WORDS_TOO)
)
SAID_TO_DO = re.compile(
    rf"(?:^|[\s(])({KEYS})(?: (?:and|or) (?:{KEYS}))? (?!(?:{NO_VERBS})\b)([a-z]+s|go|act)\b"
)
BEFORE_A_PLACE = re.compile(rf"^({KEYS}): [a-z]+$")
NAMED = re.compile(r"\{([a-z]+(?:\.[a-z]+)*)\}")


def texts(source: Source) -> Iterator[tuple[ast.Constant, str]]:
    """Literals that are no docstrings and no style sheets."""
    left_out: set[ast.AST] = set()
    for node in ast.walk(source.tree):
        styles = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DEFAULT_CSS"
        if styles or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            left_out |= set(ast.walk(node))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            yield node, node.value


def keys_of(text: str) -> list[str]:
    """Keys that a text says to press."""
    found = [match[1] for match in SAID_TO_DO.finditer(text)]
    return found + [match[1] for match in BEFORE_A_PLACE.finditer(text)]


def shown_as_keys(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """``Cell("V", Tone.KEY)`` and ``KeyHint("V", ...)``."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        first, rest = node.args[0], node.args[1:]
        painted = node.func.id == "Cell" and any(ast.unparse(each) == "Tone.KEY" for each in rest)
        if (painted or node.func.id == "KeyHint") and isinstance(first, ast.Constant):
            yield node, str(first.value)


def named_keys(source: Source) -> list[str]:
    found = [f"{source.at(node)} {key}" for node, text in texts(source) for key in keys_of(text)]
    return found + [f"{source.at(node)} {key}" for node, key in shown_as_keys(source)]


def sources() -> list[Source]:
    every = modules("fleet_tui/console")
    return [source for source in every if not source.path.startswith(OTHERS)]


def test_texts_name_keys_by_their_actions() -> None:
    found = [key for source in sources() if source.path not in FIXED for key in named_keys(source)]
    assert found == []


def test_every_exception_is_one() -> None:
    assert {source.path for source in sources() if named_keys(source)} == set(FIXED)


def test_the_actions_that_texts_name_are_there() -> None:
    found = [
        f"{source.at(node)} {name}"
        for source in sources()
        for node, text in texts(source)
        for name in NAMED.findall(text)
        if name not in BY_NAME
    ]
    assert found == []


def test_keys_are_found_and_words_are_not() -> None:
    assert keys_of("No tasks yet. T submits one.") == ["T"]
    assert keys_of("3 lists them, / filters; esc goes back.") == ["3", "/", "esc"]
    assert keys_of("f or G resumes") == ["f"]
    assert keys_of("7: alerts") == ["7"]
    assert keys_of("A state is a sign and a word. 4 tasks, home pool, enter: yes") == []
