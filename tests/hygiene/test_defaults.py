"""What is done with what nobody expects is decided, and says why."""

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import fleet_tui
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Event
from tests.hygiene.sources import PACKAGE, vocabularies

FOR_MACHINES = ("noqa", "type:")
"""Comments that give no reason to anybody."""


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(Path(fleet_tui.__file__).parent.rglob("*.py")):
        yield path, path.read_text(encoding="utf-8")


def commented(text: str) -> set[int]:
    """The lines that have a comment for people."""
    marks = tokenize.generate_tokens(io.StringIO(text).readline)
    found = (m for m in marks if m.type == tokenize.COMMENT)
    return {m.start[0] for m in found if not m.string[1:].strip().startswith(FOR_MACHINES)}


def is_total(body: list[ast.stmt]) -> bool:
    """Whether it only says that nothing is left, or that nothing else may come."""
    only = body[0] if len(body) == 1 else None
    if isinstance(only, ast.Raise):
        return True
    call = only.value if isinstance(only, ast.Expr) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == "assert_never"


def has_reason(first: int, body: list[ast.stmt], comments: set[int]) -> bool:
    """Whether a comment stands on the line, or between it and what it does."""
    return any(line in comments for line in range(first, body[0].lineno + 1))


def defaults(text: str) -> Iterator[tuple[int, str]]:
    """Cases for everything else that give no reason."""
    comments = commented(text)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.match_case):
            continue
        pattern = node.pattern
        is_default = isinstance(pattern, ast.MatchAs) and pattern.pattern is None
        if is_default and node.guard is None and not is_total(node.body):
            line = pattern.lineno
            if not has_reason(line, node.body, comments):
                yield line, "default"


@cache
def members() -> frozenset[str]:
    """The names of all events and commands, and of the bases that stand for several of them."""
    kinds = (*get_args(Event), *get_args(Command))
    bases = (base for kind in kinds for base in kind.__mro__)
    return frozenset(b.__name__ for b in bases if b.__module__.startswith(f"{PACKAGE}."))


def is_member(node: ast.AST) -> bool:
    """Whether a part of a pattern names a word of a closed vocabulary."""
    if isinstance(node, ast.MatchClass):
        return ast.unparse(node.cls).rpartition(".")[2] in members()
    if not isinstance(node, ast.MatchValue) or not isinstance(node.value, ast.Attribute):
        return False
    return ast.unparse(node.value.value).rpartition(".")[2] in vocabularies()


def swallowed(text: str) -> Iterator[int]:
    """Cases for everything else beside one that names an event, a command or a member of an enum:
    nobody would hear of a new one. A comment does not help; only assert_never() does."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Match):
            continue
        if not any(is_member(part) for case in node.cases for part in ast.walk(case.pattern)):
            continue
        for case in node.cases:
            pattern, body = case.pattern, case.body
            is_default = isinstance(pattern, ast.MatchAs) and pattern.pattern is None
            is_silent = isinstance(body[0], ast.Raise) or not is_total(body)
            if is_default and case.guard is None and is_silent:
                yield pattern.lineno


def broad(caught: ast.expr | None) -> str | None:
    """Which of the names of all errors is among what is caught."""
    if caught is None:
        return "everything"
    for part in caught.elts if isinstance(caught, ast.Tuple) else [caught]:
        name = part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")
        if name in {"Exception", "BaseException"}:
            return name
    return None


def broad_excepts(text: str) -> Iterator[tuple[int, str]]:
    """Handlers of all errors that do not say why: what they undo before they pass it on, or why
    they need not. Of those that swallow nothing the line says it too: a reader sees at once."""
    comments = commented(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and (name := broad(node.type)) is not None:
            if not has_reason(node.lineno, node.body, comments):
                yield node.lineno, f"except {name}"
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                call = item.context_expr
                if not isinstance(call, ast.Call) or "suppress" not in ast.unparse(call.func):
                    continue
                name = next((found for arg in call.args if (found := broad(arg))), None)
                if name is not None and not has_reason(node.lineno, node.body, comments):
                    yield node.lineno, f"suppress {name}"


def test_every_default_is_total_or_says_why() -> None:
    found = [f"{path.name}:{line}" for path, text in modules() for line, _ in defaults(text)]
    assert found == []


def test_no_default_swallows_a_word_of_a_closed_vocabulary() -> None:
    found = [f"{path.name}:{line}" for path, text in modules() for line in swallowed(text)]
    assert found == []


def test_a_default_that_swallows_a_word_is_found() -> None:
    silent = "match x:\n    case 1:\n        f()\n    case _:  # the rest\n        pass\n"
    assert list(swallowed(silent)) == []
    for word in ("TaskPlaced()", "e.AboutTask()", "Hold(tasks=_)", "Level.WARN", "C(Health.UP)"):
        named = silent.replace("1", word)
        assert list(swallowed(named)) == [4], word
        assert list(swallowed(named.replace("case _:", "case rest:"))) == [4]
        assert list(swallowed(named.replace("pass", "raise E(x)"))) == [4]
        assert list(swallowed(named.replace("pass", "assert_never(x)"))) == []
        assert list(swallowed(named.replace("case _:", "case Other():"))) == []


def test_every_handler_of_all_errors_says_why() -> None:
    found = [
        f"{path.name}:{line} {what}"
        for path, text in modules()
        for line, what in broad_excepts(text)
    ]
    assert found == []


def test_what_gives_no_reason_is_found() -> None:
    silent = "match x:\n    case 1:\n        f()\n    case _:\n        pass\n"
    assert list(defaults(silent)) == [(4, "default")]
    assert list(defaults(silent.replace("case _:", "case _:  # the rest is noise"))) == []
    assert list(defaults(silent.replace("pass", "assert_never(x)"))) == []
    assert list(defaults(silent.replace("case _:", "case rest:"))) == [(4, "default")]
    caught = "try:\n    f()\nexcept Exception:\n    g()\n    raise\n"
    assert list(broad_excepts(caught)) == [(3, "except Exception")]
    for other in ("(OSError, Exception)", "builtins.Exception"):
        assert list(broad_excepts(caught.replace("Exception", other))) == [(3, "except Exception")]
    assert list(broad_excepts(caught.replace(" Exception", ""))) == [(3, "except everything")]
    assert list(broad_excepts(caught.replace("n:", "n:  # the file is closed"))) == []
    hidden = "with contextlib.suppress(OSError, Exception):\n    f()\n"
    assert list(broad_excepts(hidden)) == [(1, "suppress Exception")]
