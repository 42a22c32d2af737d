"""The score of the mutation tests is the one the page shows, and every explanation is of a change
that can still be made."""

import ast
import re
import tomllib
from collections import Counter

import pytest

from tests.hygiene.sources import Function, functions, modules
from tests.mutation.declared import TESTS
from tests.mutation.decorators import with_properties, without_decorators
from tests.mutation.digest import Name, digests, digests_of
from tests.mutation.digest import modules as modules_of_the_core
from tests.mutation.keys import change, is_unreachable, is_wording
from tests.mutation.record import (
    PAGE,
    Explanation,
    FunctionScore,
    explanations,
    made_by,
    moved,
    score,
    sentence,
)
from tests.support.surroundings import CHECKOUT

HOW = "run: python -m tests.mutation"
REASONS = re.compile(r"(equivalent|wording|unreachable|speed|import): \S.{15,}")
"""Nothing that anybody could observe changes; only words for people do; what was asserted or proven
before makes the case impossible; only time or memory change; it is called while its module is
imported, before a mutant can be chosen."""


def of_core(module: str) -> list[Function]:
    path = f"fleet_tui/core/{module.replace('.', '/')}.py"
    (source,) = (s for s in modules("fleet_tui") if s.path == path)
    return list(functions(source))


def test_the_page_tells_the_recorded_score() -> None:
    assert sentence(score()) in " ".join(PAGE.read_text(encoding="utf-8").split()), HOW


def test_every_function_of_the_core_is_recorded_as_it_is_today() -> None:
    today = {n: d for module in modules_of_the_core() for n, d in digests_of(module).items()}
    assert {name: of.digest for name, of in score().items()} == today, HOW


def test_what_is_recorded_as_explained_is_what_has_an_explanation() -> None:
    recorded = {name: of.explained for name, of in score().items() if of.explained}
    assert recorded == Counter(e.name for e in explanations()), HOW


def test_the_mutants_are_those_of_the_mutmut_that_is_installed() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["mutation"] == [f"mutmut=={made_by()}"], HOW


FUNCTION = "def f(a: int) -> int:\n    if a:\n        return 1\n    return 2\n"


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (FUNCTION, True),
        (f'"""Words."""\n\nimport re\n\nMOST = 3\n\n\n{FUNCTION}', True),
        (f"{FUNCTION}\n\nclass C:\n    def g(self) -> None: ...\n", True),
        (f"@cache\n{FUNCTION}", True),
        (
            FUNCTION.replace(
                "    if", '    """Words\n    of two lines."""\n    # and more\n    if'
            ),
            True,
        ),
        (FUNCTION.replace("return 2", "return 3"), False),
        (FUNCTION.replace("if a", "if not a"), False),
        (f"{FUNCTION}\n\n{FUNCTION}", False),
    ],
)
def test_a_score_is_of_the_code_of_one_function(other: str, is_same: bool) -> None:
    assert (digests(FUNCTION)["f"] == digests(other)["f"]) is is_same


def test_a_function_is_known_by_its_class_and_has_what_is_inside_it() -> None:
    code = (
        "class A:\n    class B:\n        def c(self) -> None:\n            def d() -> None: ...\n"
    )
    assert list(digests(code)) == ["A.B.c"]


def test_a_function_that_only_went_to_another_module_keeps_its_score() -> None:
    of = FunctionScore("d", killed=1, refused=2, explained=0, left_out=0)
    old, new = Name("a", "f"), Name("a.b", "f")
    assert moved({old: of}, {new: "d"}) == {new: of}
    assert moved({old: of}, {new: "another"}) == {}
    assert moved({old: of}, {old: "d", new: "d"}) == {old: of}, "a copy is another function"


def test_the_tests_it_plays_are_there() -> None:
    assert [path for path in TESTS if not (CHECKOUT / path).exists()] == []


@pytest.mark.parametrize("explanation", explanations(), ids=lambda e: f"{e.module}:{e.function}")
def test_an_explanation_is_of_lines_that_are_there_and_says_why(explanation: Explanation) -> None:
    assert explanation.module in modules_of_the_core()
    found = [f for f in of_core(explanation.module) if f.name == explanation.function]
    assert found, "no such function any more"
    lines = found[0].source.lines[found[0].node.lineno - 1 : found[0].node.end_lineno]
    assert explanation.before in " / ".join(line.strip() for line in lines)
    assert explanation.before != explanation.after
    assert REASONS.fullmatch(explanation.why)


def test_no_mutant_is_explained_twice() -> None:
    keys = [(e.module, e.function, e.before, e.after, e.nth) for e in explanations()]
    assert len(keys) == len(set(keys))


def test_a_mutant_is_known_by_the_lines_that_it_changes() -> None:
    original = "def f(a):\n    if a > 1:\n        return 2\n    return a"
    assert change(original, original.replace(">", ">=")) == ("if a > 1:", "if a >= 1:")
    without = original.replace("    if a > 1:\n        return 2\n", "")
    assert change(original, without) == ("if a > 1: / return 2", "")


@pytest.mark.parametrize(
    ("before", "after", "is_left_out"),
    [
        ('f("no such task")', 'f("XXno such taskXX")', True),
        ('f("held", "by them")', 'f("held", "BY THEM")', True),
        ('f("held")', 'f("HELD")', False),
        ('f("a b")', "f(None)", False),
        ('f("a b")', 'g("a b")', False),
        ('f(1, "a b")', 'f(2, "a b")', False),
        ('f("; ")', 'f("XX; XX")', False),
        ('f(x, "a b")', 'f("a b")', False),
    ],
)
def test_only_prose_for_people_is_left_out(before: str, after: str, is_left_out: bool) -> None:
    ast.parse(before)
    assert is_wording(before, after) is is_left_out


@pytest.mark.parametrize(
    ("before", "is_left_out"),
    [
        ("assert_never(event)", True),
        ("case _: / assert_never(task.phase)", True),
        ("case _: / return None", False),
        ("case TaskPhase.WAITING: / assert_never(task)", False),
    ],
)
def test_only_what_the_type_checker_proves_unreachable_is_left_out(
    before: str, is_left_out: bool
) -> None:
    assert is_unreachable(before) is is_left_out


def test_properties_and_remembered_functions_are_mutated_too() -> None:
    """mutmut leaves decorated functions out."""
    code = (
        "@lru_cache(4)\ndef f() -> int:\n    return 1\n\n\n"
        "class A:\n    @property\n    def b(self) -> int:\n        return 1\n\n"
        "    @property\n    def c(self) -> None: ...\n"
    )
    plain = without_decorators(code)
    functions = [node for node in ast.walk(ast.parse(plain)) if isinstance(node, ast.FunctionDef)]
    assert [f.decorator_list for f in functions] == [[], [], []]
    assert len(plain.splitlines()) == len(code.splitlines())
    mutated = plain.replace(
        "    # was: @property\n    def b",
        "    # was: @property\n    @_mutmut_mutated(mutants)\n    def b(self) -> int: ...\n\n"
        "    # was: @property\n    def b__mutmut_orig",
    )
    nodes = ast.walk(ast.parse(with_properties(mutated)))
    found = {n.name: n for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    decorators = {name: [ast.unparse(d) for d in f.decorator_list] for name, f in found.items()}
    assert decorators == {
        "f": [],
        "A": [],
        "b": ["property", "_mutmut_mutated(mutants)"],
        "b__mutmut_orig": [],
        "c": ["property"],
    }
