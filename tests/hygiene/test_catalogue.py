"""The table of what can go wrong names tests that exist, and says why where it names none."""

import ast
import re

import pytest

from tests.hygiene.sources import modules
from tests.support.catalogue import BAD_INPUT, FAULTS, Row
from tests.support.promises import PROMISES

LEAST_REASON_CHARS = 20
GIVEN = {"F": (FAULTS, 64), "B": (BAD_INPUT, 95)}
"""Each table and the last number of its catalogue."""


def known_tests() -> set[str]:
    """``file::test`` below ``tests``, for every test there is."""
    return {
        f"{source.path.removeprefix('tests/')}::{node.name}"
        for source in modules("tests")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def wrongs(rows: dict[str, Row], known: set[str]) -> list[str]:
    """What is wrong with a table, row by row."""
    found = []
    for number, row in rows.items():
        found += [f"{number}: no test {test}" for test in row.tests if test not in known]
        if not row.tests and len(row.why) < LEAST_REASON_CHARS:
            found.append(f"{number}: neither a test nor a reason")
        if not row.what:
            found.append(f"{number}: what goes wrong?")
    return found


@pytest.mark.parametrize("letter", GIVEN)
def test_every_row_names_tests_that_exist_or_says_why_not(letter: str) -> None:
    rows, last = GIVEN[letter]
    assert wrongs(rows, known_tests()) == []
    numbers = [int(re.fullmatch(rf"{letter}(\d+)", name)[1]) for name in rows]  # type: ignore[index]  # it matches
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (1, last)


def test_every_promise_names_tests_that_exist() -> None:
    promises = {str(n): promise for n, promise in enumerate(PROMISES, 1)}
    assert wrongs(promises, known_tests()) == []
    assert all(promise.tests for promise in PROMISES)


def test_the_check_sees() -> None:
    rows = {
        "F1": Row("lost", ("a/test_x.py::test_y",)),
        "F2": Row("found", ("a/test_x.py::test_z",)),
        "F3": Row("silent"),
        "F4": Row("", (), "nobody could say what it would be"),
    }
    assert wrongs(rows, {"a/test_x.py::test_z"}) == [
        "F1: no test a/test_x.py::test_y",
        "F3: neither a test nor a reason",
        "F4: what goes wrong?",
    ]
