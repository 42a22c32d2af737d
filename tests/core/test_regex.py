"""Patterns that people type: those that could run away are refused, all others are taken."""

import pytest

from fleet_tui.core.text.regex import (
    MAX_CHOICES,
    MAX_PATTERN_CHARS,
    MAX_REPEAT,
    MAX_SEARCHED_CHARS,
    BoundedRegex,
    RegexProblem,
    compile_bounded,
)


def compiled(source: str) -> BoundedRegex:
    found = compile_bounded(source)
    assert isinstance(found, BoundedRegex), found
    return found


@pytest.mark.parametrize(
    "source",
    [
        "x" * MAX_PATTERN_CHARS,
        "a*b+",
        "a{100}",
        "a{0,100}b{2,}",
        "(a)+",
        "(ab){2}",
        "(a|b)?",
        "(a+)?",
        "a(?:b)c",
        "a?" * MAX_CHOICES,
        "(a|b)" * MAX_CHOICES,
        "(?:a)" * (MAX_CHOICES + 1),
        "a{2}" * 5,
        # What is escaped or in a class repeats nothing.
        "\\**\\+?",
        "(\\*)(\\*)(\\*)",
        "(?:\\*)(?:\\*)(?:\\*)",
        "a*?\\+b+?\\+",
        "a*+b++",
        "a{2}?" * (MAX_CHOICES + 1),
        "[]***]",
        "xx[]***]",
        "[^]***]",
        "[\\]***]",
        "[^***]",
        "[a]--",
        "\\0",
        "\\a1",
    ],
)
def test_a_pattern_that_cannot_run_away_is_taken(source: str) -> None:
    compiled(source)


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("x" * (MAX_PATTERN_CHARS + 1), MAX_PATTERN_CHARS),
        ("a*b*c*", 5),
        ("a*b+c{2,}", 5),
        ("a*b+c{2,9}", 5),
        ("\\d*\\d*\\d*", 8),
        (f"a{{{MAX_REPEAT + 1}}}", 1),
        (f"a{{,{MAX_REPEAT + 1}}}", 1),
        (f"a{{{MAX_REPEAT + 1},}}", 1),
        ("(a+)+", 4),
        ("(a+(b))+", 7),
        ("((a+)b)*", 7),
        ("(a|b)+", 5),
        ("(a|b){2}", 5),
        ("a?" * (MAX_CHOICES + 1), 2 * MAX_CHOICES + 1),
        ("(a|b)" * (MAX_CHOICES + 1), 5 * MAX_CHOICES + 4),
        ("a(?i)", 1),
        ("(?:a)(?=b)", 5),
        ("(a)\\1", 3),
        ("(a)\\1b", 3),
        ("(a)0\\1", 4),
        ("(?:a)(b*)+", 9),
        ("[a](?=b)", 3),
        ("[]](?=b)", 3),
        ("[^]](?=b)", 4),
        ("[\\]](?=b)", 4),
        ("[a[b]", 2),
        ("[a-", 0),
        ("ab)", 2),
        ("a**", 2),
    ],
)
def test_one_that_could_is_refused_where_it_goes_wrong(source: str, column: int) -> None:
    found = compile_bounded(source)
    assert isinstance(found, RegexProblem)
    assert found.column == column
    assert found.message


@pytest.mark.parametrize("source", ["(a?){100}b", "(a?a?)*b", "((a?)){50}b", "(a?)+b", "(a??)*"])
def test_a_repeat_of_optional_pieces_is_refused(source: str) -> None:
    """Each takes part or not, in each round: text of one letter would keep them busy for ever."""
    found = compile_bounded(source)
    assert isinstance(found, RegexProblem)
    what = "repeats, optional pieces or alternatives"
    assert found.message == f"a repeat of a group with {what} in it"


@pytest.mark.parametrize(
    ("source", "chars"),
    [
        ("b", MAX_SEARCHED_CHARS),
        ("b+", MAX_SEARCHED_CHARS),
        ("b{1,2}", MAX_SEARCHED_CHARS),
        ("b+c*", MAX_SEARCHED_CHARS // 2),
    ],
)
def test_only_the_beginning_of_a_text_is_looked_at(source: str, chars: int) -> None:
    assert compiled(source).is_in("a" * (chars - 1) + "b")
    assert not compiled(source).is_in("a" * chars + "b")


def test_case_does_not_matter() -> None:
    assert compiled("Ab").is_in("xaBx")
