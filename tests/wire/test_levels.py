"""The severity that lines of real programs name."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.logs import Level
from fleet_tui.wire.levels import read_level, without_colours

LINES = Path(__file__).parent / "data" / "levels.tsv"
ESCAPES = {"\\\\": "\\", "\\e": "\x1b", "\\t": "\t"}


def cases() -> list[tuple[Level, str, str]]:
    found = []
    for row in LINES.read_text(encoding="utf-8").splitlines():
        if not row.startswith("#"):
            level, program, line = row.split("\t")
            found.append((Level[level], program, re.sub(r"\\(?:u....|.)", written, line)))
    return found


def written(escape: re.Match[str]) -> str:
    return ESCAPES.get(escape[0]) or chr(int(escape[0][2:], 16))


CASES = cases()


@pytest.mark.parametrize(
    ("level", "line"), [(case[0], case[2]) for case in CASES], ids=[case[1] for case in CASES]
)
def test_the_level_a_line_names(level: Level, line: str) -> None:
    assert read_level(line) is level


@pytest.mark.parametrize("level", [case for case in Level if case is not Level.UNKNOWN])
def test_colour_changes_no_level(level: Level) -> None:
    for named, _, line in CASES:
        if named is level and line[0].isalpha():
            assert read_level(f"\x1b[1;31m{line}\x1b[0m") is level, line


def test_a_level_at_the_end_of_a_long_record_is_found() -> None:
    assert read_level('{"event":"' + "x" * 4_000 + '","level":"error"}') is Level.ERROR


@given(st.text())
def test_any_line_has_a_level(line: str) -> None:
    assert read_level(line) in Level
    assert "\x1b[" not in without_colours(f"\x1b[31m{line}").replace(line, "")


@pytest.mark.parametrize(
    "part",
    [
        "error ",
        '"\\',
        "\x1b[",
        "\x1b[1;",
        "[[",
        '{"a":',
        '{"level":',
        " - ",
        "a b c ",
        "level=",
        '="',
        "Foo::",
        "a:1:in (",
        "x[1]: ",
        "\r",
        "\x00",
    ],
)
def test_a_hostile_line_is_read_once(part: str) -> None:
    """Were it read again from each beginning, this would take far longer than a test may."""
    line = part * (16_384 // len(part))
    for begin in ("", "{", "<3>", "2026-01-02 03:04:05 "):
        for _ in range(200):
            read_level(begin + line)
            read_level(begin + line + "}")
