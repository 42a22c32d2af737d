"""A table of a closed vocabulary has an entry for each of its words, or says why not."""

import ast
from collections.abc import Iterator

import pytest

from tests.hygiene.sources import PACKAGE, Source, modules, vocabularies
from tests.hygiene.test_defaults import commented


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


def members_in(node: ast.AST) -> dict[str, set[str]]:
    """The members that a collection lists, by their enum."""
    found: dict[str, set[str]] = {}
    for each in node.elts if isinstance(node, ast.Set | ast.Tuple | ast.List) else ():
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            name = each.value.id
            if name in vocabularies() and each.attr in vocabularies()[name].__members__:
                found.setdefault(name, set()).add(each.attr)
    return found


def choices(source: Source) -> Iterator[ast.expr]:
    """What a module compares with ``in``, and the collections that it names for that."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            yield node.comparators[0]
    for statement in source.tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            yield statement.value
            yield from (node for node in ast.walk(statement.value) if isinstance(node, ast.Set))


def half_choices(source: Source) -> Iterator[str]:
    """Several members that are told from the others, of which nobody hears that they are more now:
    a ``match`` of all tells, or there is a reason not to need one."""
    comments = commented(source.text)
    for node in choices(source):
        for name, members in members_in(node).items():
            is_whole = members == vocabularies()[name].__members__.keys()
            if len(members) > 1 and not is_whole and not {node.lineno, node.end_lineno} & comments:
                yield f"{source.at(node)} {name}: {', '.join(sorted(members))}"


OF_A_WORLD = "fleet_tui/sim/virtual/"
"""Simulated hosts answer as the wrapper script does, and promises and planted bugs have names."""


def spelt_words(source: Source) -> Iterator[str]:
    """Words of several parts that are spelt by hand where they are compared, listed, passed on or
    returned, which no checker follows. Words of one part mean many things: those of protocols, of
    ssh_config, of JSON. An enum spells its own; the tag of a struct is a word of other structs."""
    comments = commented(source.text)
    texts = {word.value for kind in vocabularies().values() for word in kind}

    def below(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.expr) and node.lineno in comments:
            return
        if isinstance(node, ast.ClassDef) and node.name in vocabularies():
            return
        if isinstance(node, ast.keyword) and node.arg == "tag":
            return
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(node, ast.expr) and isinstance(text, str) and "-" in text and text in texts:
            yield f"{source.at(node)} {text}"
        for child in ast.iter_child_nodes(node):
            yield from below(child)

    return below(source.tree)


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


def test_every_choice_of_several_words_hears_of_new_ones_or_says_why() -> None:
    found = [choice for source in modules(PACKAGE) for choice in half_choices(source)]
    assert found == []


def test_a_choice_that_hears_of_nothing_is_found() -> None:
    def told(text: str) -> list[str]:
        return list(half_choices(Source("x.py", text, ast.parse(text))))

    asked = "def f(level):\n    return level in (Level.WARN, Level.ERROR)\n"
    assert told(asked) == ["x.py:2 Level: ERROR, WARN"]
    assert told(asked.replace(")\n", ")  # the others are no trouble\n")) == []
    assert told(asked.replace("Level.WARN, ", "")) == []
    kept = "LOUD = frozenset({Level.WARN, Level.ERROR})\n"
    assert told(kept) == ["x.py:1 Level: ERROR, WARN"]
    assert told(kept.replace("WARN, ", "WARN, other, ")) == ["x.py:1 Level: ERROR, WARN"]


def test_no_word_is_spelt_by_hand() -> None:
    sources = (each for each in modules(PACKAGE) if not each.path.startswith(OF_A_WORLD))
    found = [fault for source in sources for fault in spelt_words(source)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("if code == 'key-conflict' or 'run-again' in said:\n    f()\n", 2),
        ("fact = Died(reason='process-gone')\n", 1),
        ("DOUBTS = frozenset({\n    'no-run-dir',\n    'no-hard-links',\n})\n", 2),
        ("match state:\n    case ('refused', 'no-run-dir'):\n        f()\n", 1),
        ("def f(how='model-error'):\n    return 'text-lost' if how else 'timed-out'\n", 3),
        ("DOUBTS = frozenset({  # as the script says them\n    'no-run-dir',\n})\n", 0),
        ("fact = Died(reason='process-gone')  # as the program says it\n", 0),
        ("class DiedCode(StrEnum):\n    PROCESS_GONE = 'process-gone'\n", 0),
        ("class Gone(Struct, tag='process-gone'):\n    pass\n", 0),
        ("say('held', 'no-such-word')\n", 0),
    ],
)
def test_a_word_that_is_spelt_by_hand_is_found(text: str, spelt: int) -> None:
    assert len(list(spelt_words(Source("x.py", text, ast.parse(text))))) == spelt
