"""Whether a test may be left out is decided in one place, ``tests/support/needs.py``: what is
missing is missed loudly in CI, and only a right that nobody gave us is not."""

import ast
from collections.abc import Iterator

import pytest

from tests.hygiene.sources import Source, full_name, imported_names, modules

LEAVES_OUT = {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.importorskip"}

ELSEWHERE = {
    "tests/support/needs.py": "the one place",
    "tests/support/openclaw_lab.py": "a registry that cannot be reached is no fault of the machine",
    "tests/acceptance/test_releases.py": "nor is one that cannot be asked for the newest release",
    "tests/support/install_openclaw.py": "hears the same, and leaves out nothing",
    "tests/test_confine.py": "of Linux alone",
    "tests/acceptance/test_descriptors.py": "of Linux alone",
    "tests/cli/test_odd_files.py": "of systems with /dev/full alone",
    "tests/cli/test_ssh_config.py": "of versions of ssh and of the SSH library that lack something",
    "tests/wire/test_ssh_config.py": "of versions of the SSH library that lack something",
}
"""Modules that leave tests out by themselves, and why."""


def leaving_out(source: Source) -> Iterator[str]:
    """Where a module leaves tests out."""
    imported = imported_names(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.expr) and full_name(node, imported) in LEAVES_OUT:
            yield source.at(node)


def test_tests_are_left_out_in_one_place_alone() -> None:
    found = {source.path: list(leaving_out(source)) for source in modules("tests")}
    assert {path: where for path, where in found.items() if where and path not in ELSEWHERE} == {}
    assert [path for path in ELSEWHERE if not found[path]] == []


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import pytest\npytest.skip('x')", True),
        ("from pytest import skip\nskip('x')", True),
        ("import pytest\n@pytest.mark.skipif(True, reason='x')\ndef f(): ...", True),
        ("import pytest\npytest.fail('x')", False),
        ("from tests.support.needs import missing\nmissing('x')", False),
    ],
)
def test_the_scan_sees(text: str, seen: bool) -> None:
    assert bool(list(leaving_out(Source("example.py", text, ast.parse(text))))) is seen
