"""A table of a closed vocabulary has an entry for each of its words, or says why not."""

import ast
import enum
import importlib
import inspect
from collections.abc import Iterator
from functools import cache

from tests.hygiene.sources import PACKAGE, Source, modules
from tests.hygiene.test_defaults import commented


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


def keyed_by_members(table: ast.Dict) -> tuple[str, set[str]] | None:
    """The enum whose members are the keys of a table, and which; None when it is no such table."""
    owners, members = set(), set()
    for key in table.keys:
        if not isinstance(key, ast.Attribute) or not isinstance(key.value, ast.Name):
            return None
        owners.add(key.value.id)
        members.add(key.attr)
    owner = next(iter(owners), "")
    return (owner, members) if len(owners) == 1 and owner in vocabularies() else None


def keyed_by_texts(table: ast.Dict) -> str | None:
    """The enum whose texts are the keys of a table, spelt by hand."""
    constants = [key.value for key in table.keys if isinstance(key, ast.Constant)]
    keys = {value for value in constants if isinstance(value, str)}
    if len(keys) < 2 or len(keys) < len(table.keys):
        return None
    for name, kind in vocabularies().items():
        if keys <= {member.value for member in kind} and 2 * len(keys) >= len(kind):
            return name
    return None


def faults(source: Source) -> Iterator[str]:
    """The tables of a module that leave words out without a reason, or spell them by hand."""
    comments = commented(source.text)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Dict) or not node.keys:
            continue
        has_reason = {node.lineno, node.keys[0].lineno if node.keys[0] else 0} & comments
        if (found := keyed_by_members(node)) is not None:
            name, members = found
            left_out = vocabularies()[name].__members__.keys() - members
            if left_out and not has_reason:
                yield f"{source.at(node)} {name} without {', '.join(sorted(left_out))}"
        elif (spelt := keyed_by_texts(node)) is not None and not has_reason:
            yield f"{source.at(node)} keyed by the texts of {spelt}"


def test_every_table_has_all_words_or_says_why() -> None:
    found = [fault for source in modules(PACKAGE) for fault in faults(source)]
    assert found == []


def test_a_table_with_a_hole_is_found() -> None:
    def told(text: str) -> list[str]:
        return list(faults(Source("x.py", text, ast.parse(text))))

    hole = "TONES = {\n    Level.DEBUG: 1,\n    Level.INFO: 2,\n}\n"
    assert told(hole) == ["x.py:1 Level without ERROR, TRACE, UNKNOWN, WARN"]
    assert told(hole.replace("= {", "= {  # others have none")) == []
    spelt = 'TONES = {"error": 1, "note": 2}'
    assert told(spelt) == ["x.py:1 keyed by the texts of ProblemSeverity"]
    assert told(spelt.replace("note", "other")) == []
