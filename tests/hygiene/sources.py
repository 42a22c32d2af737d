"""The project's own sources as the hygiene tests see them: text, syntax trees, names in full."""

import ast
import enum
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.surroundings import CHECKOUT

PACKAGE = "fleet_tui"
TESTS = "tests"


@dataclass(frozen=True)
class Source:
    """One module. ``path`` is relative to the checkout, with forward slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def at(self, node: ast.expr | ast.stmt) -> str:
        """Where a node is, as editors understand it."""
        return f"{self.path}:{node.lineno}"


@dataclass(frozen=True)
class Function:
    """A function or method, named ``Class.method`` or ``function``."""

    source: Source
    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def length(self) -> int:
        """Lines of the body; a signature and a docstring may take the room they need."""
        body = self.node.body
        documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        first = body[1] if documented and len(body) > 1 else body[0]
        assert self.node.end_lineno is not None
        return self.node.end_lineno - first.lineno + 1


@cache
def modules(*folders: str) -> tuple[Source, ...]:
    """Every Python module below these folders of the checkout."""
    found = []
    for folder in folders:
        for file in sorted((CHECKOUT / folder).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            path = file.relative_to(CHECKOUT).as_posix()
            found.append(Source(path, text, ast.parse(text, path)))
    assert found, f"nothing below {folders}"
    return tuple(found)


@cache
def vocabularies() -> dict[str, type[enum.Enum]]:
    """Every enum of the program by its name, which no two share."""
    found: dict[str, type[enum.Enum]] = {}
    for source in modules(PACKAGE):
        if "Enum" not in source.text:
            continue
        name = source.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        module = importlib.import_module(name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, enum.Enum) and kind.__module__ == name:
                assert kind.__name__ not in found, f"two enums are named {kind.__name__}"
                found[kind.__name__] = kind
    return found


def text_files() -> Iterator[Path]:
    """Every file that people write: code, data, settings, words."""
    for file in sorted(CHECKOUT.rglob("*")):
        inside = file.relative_to(CHECKOUT).parts
        hidden = any(part.startswith(".") and part not in {".ci", ".github"} for part in inside)
        made = any(part in {"__pycache__", "build", "dist"} for part in inside)
        if file.is_file() and not hidden and not made:
            yield file


def functions(source: Source) -> Iterator[Function]:
    """The functions of a module, nested ones too."""

    def below(node: ast.AST, prefix: str) -> Iterator[Function]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield Function(source, prefix + child.name, child)
                yield from below(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from below(child, f"{prefix}{child.name}.")
            else:
                yield from below(child, prefix)

    yield from below(source.tree, "")


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: ``{"now": "datetime.datetime.now"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known_as = alias.asname or alias.name.partition(".")[0]
                names[known_as] = alias.name if alias.asname else known_as
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def full_name(node: ast.expr, imported: dict[str, str]) -> str | None:
    """The dotted name an expression spells, imports resolved; None for anything else."""
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        base = full_name(node.value, imported)
        return f"{base}.{node.attr}" if base else None
    return None


def uses(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """Every dotted name a module mentions outside its imports, the longest form only, annotations
    left out: naming a type does nothing."""
    imported = imported_names(source.tree)

    def below(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
        if isinstance(node, ast.expr) and (name := full_name(node, imported)):
            yield node, name
            return
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from below(child)

    yield from below(source.tree)


def owner(source: Source, node: ast.expr) -> str:
    """The function that holds a node, or ``<module>``."""
    holding = "<module>"
    for function in functions(source):
        assert function.node.end_lineno is not None
        if function.node.lineno <= node.lineno <= function.node.end_lineno:
            holding = function.name
    return holding
