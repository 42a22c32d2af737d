"""What of a module a score is about: the code of its functions, whatever is said beside it."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from tests.support.surroundings import CHECKOUT

DIGEST_CHARS = 16


def file_of(module: str) -> Path:
    """Where a module below ``fleet_tui.core`` is."""
    return CHECKOUT / "fleet_tui" / "core" / f"{module.replace('.', '/')}.py"


def digest_of(source: str) -> str:
    """Changes with any line of a function, and not with a docstring, a comment line, an import or a
    constant: of these there are no mutants. The same on every version of Python."""
    lines = source.splitlines()
    code = (lines[at - 1].strip() for at in sorted(set(_lines_of_functions(ast.parse(source)))))
    kept = "\n".join(line for line in code if line and not line.startswith("#"))
    return hashlib.sha256(kept.encode()).hexdigest()[:DIGEST_CHARS]


def _lines_of_functions(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            words = set(_lines_of_words(node))
            yield from (at for at in range(node.lineno, _end(node) + 1) if at not in words)


def _lines_of_words(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[int]:
    """Those of docstrings, its own and of what is defined in it."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        if isinstance(node.value.value, str):
            yield from range(node.lineno, _end(node) + 1)


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno
