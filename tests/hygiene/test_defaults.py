"""What the engine and the wire do with what they do not expect is decided, and says why."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import fleet_tui

PLACES = ("wire", "engine")
FOR_MACHINES = ("noqa", "type:")
"""Comments that give no reason to anybody."""


def modules() -> Iterator[tuple[Path, str]]:
    for place in PLACES:
        for path in sorted((Path(fleet_tui.__file__).parent / place).rglob("*.py")):
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
        is_default = isinstance(pattern, ast.MatchAs) and pattern.name is None
        if is_default and node.guard is None and not is_total(node.body):
            line = pattern.lineno
            if not has_reason(line, node.body, comments):
                yield line, "case _"


def broad_excepts(text: str) -> Iterator[tuple[int, str]]:
    """Handlers of all errors that neither pass them on nor give a reason."""
    comments = commented(text)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        name = getattr(node.type, "id", None) if node.type is not None else "everything"
        if name not in {"Exception", "BaseException", "everything"}:
            continue
        passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
        if not passes_on and not has_reason(node.lineno, node.body, comments):
            yield node.lineno, f"except {name}"


def test_every_default_is_total_or_says_why() -> None:
    found = [f"{path.name}:{line}" for path, text in modules() for line, _ in defaults(text)]
    assert found == []


def test_every_handler_of_all_errors_passes_them_on_or_says_why() -> None:
    found = [
        f"{path.name}:{line} {what}"
        for path, text in modules()
        for line, what in broad_excepts(text)
    ]
    assert found == []


def test_what_gives_no_reason_is_found() -> None:
    silent = "match x:\n    case 1:\n        f()\n    case _:\n        pass\n"
    assert list(defaults(silent)) == [(4, "case _")]
    assert list(defaults(silent.replace("case _:", "case _:  # the rest is noise"))) == []
    assert list(defaults(silent.replace("pass", "assert_never(x)"))) == []
    broad = "try:\n    f()\nexcept Exception:\n    g()\n"
    assert list(broad_excepts(broad)) == [(3, "except Exception")]
    assert list(broad_excepts(broad.replace("g()", "raise"))) == []
