"""The functions of the core, and what of each a score is about: its code, whatever is said beside
it."""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.surroundings import CHECKOUT

CORE = CHECKOUT / "fleet_tui" / "core"
DIGEST_CHARS = 16


class Name(NamedTuple):
    """Of a function: ``("routing.scores", "Scorer.total")``. Functions inside it are part of it."""

    module: str
    """Below ``fleet_tui.core``."""
    function: str


def modules() -> list[str]:
    """All of the core."""
    files = (path.relative_to(CORE).with_suffix("") for path in CORE.rglob("*.py"))
    return sorted(".".join(file.parts) for file in files)


def file_of(module: str) -> Path:
    """Where a module below ``fleet_tui.core`` is."""
    return CORE / f"{module.replace('.', '/')}.py"


def digests_of(module: str) -> dict[Name, str]:
    """Of each function of a module."""
    source = file_of(module).read_text(encoding="utf-8")
    return {Name(module, function): digest for function, digest in digests(source).items()}


def digests(source: str) -> dict[str, str]:
    """Of each function of a source; those of one name, such as a property and its setter, have one
    digest. It changes with any line of the function, and not with a docstring, a comment line, an
    import or a constant: of these there are no mutants. The same on every version of Python."""
    lines = source.splitlines()
    code: dict[str, list[str]] = defaultdict(list)
    for name, function in _functions(ast.parse(source), ""):
        words = set(_lines_of_words(function))
        for at in range(function.lineno, _end(function) + 1):
            line = lines[at - 1].strip()
            if at not in words and line and not line.startswith("#"):
                code[name].append(line)
    return {
        name: hashlib.sha256("\n".join(kept).encode()).hexdigest()[:DIGEST_CHARS]
        for name, kept in code.items()
    }


def _functions(
    tree: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def _lines_of_words(function: ast.AST) -> Iterator[int]:
    """Those of docstrings, its own and of what is defined in it."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
            continue
        if isinstance(node.value.value, str):
            yield from range(node.lineno, _end(node) + 1)


def _end(node: ast.stmt) -> int:
    assert node.end_lineno is not None
    return node.end_lineno
