"""Files and functions that can be read in one sitting, and nothing left for later."""

import re

from tests.hygiene.sources import functions, modules

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70

FOR_LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError|xfail)\b")


def test_files_are_short() -> None:
    long = {
        source.path: len(source.lines)
        for source in modules("fleet_tui", "tests")
        if len(source.lines) > MAX_FILE_LINES
    }
    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{source.path}:{function.name}": function.length
        for source in modules("fleet_tui", "tests")
        for function in functions(source)
        if function.length > MAX_FUNCTION_LINES
    }
    assert long == {}


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{source.path}:{number}"
        for source in modules("fleet_tui", "tests")
        for number, line in enumerate(source.lines, 1)
        if FOR_LATER.search(line) and not source.path.endswith("hygiene/test_sizes.py")
    ]
    assert left == []


def test_suppressions_say_which_rule_and_why() -> None:
    """``# noqa: S603 - found on PATH`` and ``# type: ignore[arg-type]  # a bag of fields``."""
    suppression = re.compile(r"#\s*(noqa|type:\s*ignore)(?P<rest>.*)$")
    reasoned = re.compile(
        r"^(: [A-Z]+\d+(, ?[A-Z]+\d+)*|\[[a-z-]+(, ?[a-z-]+)*\])\s*(#|-|--|–)\s*\w"
    )
    bare = [
        f"{source.path}:{number}"
        for source in modules("fleet_tui", "tests")
        for number, line in enumerate(source.lines, 1)
        if (found := suppression.search(line))
        and not reasoned.match(found["rest"])
        and not source.path.endswith("hygiene/test_sizes.py")
    ]
    assert bare == []
