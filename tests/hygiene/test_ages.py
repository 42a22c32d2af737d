"""Ages and spans are never negative: whoever shows one asks ``words.elapsed_ms``."""

import ast
from collections.abc import Iterator

from tests.hygiene.sources import PACKAGE, modules

SHOWING = ("fleet_tui/cli/", "fleet_tui/console/", "fleet_tui/core/status.py")
EXCEPT = {"fleet_tui/console/shell/toasts.py": "asks whether the clock was set back"}
INSTANTS = ("at_ms", "since_ms", "now_ms")


def subtractions(tree: ast.AST) -> Iterator[ast.BinOp]:
    """Differences of two instants."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
            continue
        if name_of(node.left).endswith(INSTANTS) and name_of(node.right).endswith(INSTANTS):
            yield node


def name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def test_no_age_is_reckoned_by_hand() -> None:
    found = [
        source.at(node)
        for source in modules(PACKAGE)
        if source.path.startswith(SHOWING) and source.path not in EXCEPT
        for node in subtractions(source.tree)
    ]
    assert found == []
