"""No module imports what imports it, at whatever distance: imports inside functions and those for
the type checker count. What everybody below needs to know of what stands above is a Protocol."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from tests.hygiene.sources import PACKAGE, Source, modules


def name_of(source: Source) -> str:
    """``fleet_tui/core/ids.py`` as ``fleet_tui.core.ids``."""
    return source.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """The modules of the program that a module names in its imports, wherever they stand. A package
    is not one of them where a module of it is named."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in known else str(node.module)


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """One circle of imports, empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


def test_no_import_runs_in_a_circle() -> None:
    sources = {name_of(source): source for source in modules(PACKAGE)}
    graph = {
        name: set(imported(source.tree, set(sources))) - {name} for name, source in sources.items()
    }
    assert sum(map(len, graph.values())) > len(sources)
    assert circle(graph) == []


def test_a_circle_is_found_wherever_the_import_stands() -> None:
    inside = "def f():\n    from a.c import x\n"
    typed = "if TYPE_CHECKING:\n    from a import b\n"
    known = {"a", "a.b", "a.c"}
    assert set(imported(ast.parse(inside), known)) == {"a.c"}
    assert set(imported(ast.parse(typed), known)) == {"a.b"}
    assert circle({"a.b": {"a.c"}, "a.c": {"a.b"}}) in (
        ["a.b", "a.c", "a.b"],
        ["a.c", "a.b", "a.c"],
    )
