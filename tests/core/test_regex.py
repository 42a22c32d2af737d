"""Patterns that people type: they mean what they mean in Python, and none can run away."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.logs import MAX_LINE_CHARS
from fleet_tui.core.text.regex import (
    MAX_PATTERN_CHARS,
    MAX_PLACES,
    MAX_SEARCHED_CHARS,
    BoundedRegex,
    RegexProblem,
    compile_bounded,
)

LONGEST_LINE = "a" * MAX_LINE_CHARS


def compiled(source: str) -> BoundedRegex:
    found = compile_bounded(source)
    assert isinstance(found, BoundedRegex), found
    return found


def refused(source: str) -> RegexProblem:
    found = compile_bounded(source)
    assert isinstance(found, RegexProblem), found
    return found


@pytest.mark.parametrize(
    "source",
    [
        ".*.*b",
        ".*.*.*.*.*.*b",
        "(a+)+b",
        "(a|a)*b",
        "(a|aa)+$b",
        "((a*)*)*b",
        "(a??)*b",
        "(?:a?){200}a{200}b",
        "a?" * 90 + "b",
        "(.*a){90}b",
        r"(\w+\s*)+b",
        "(a{1,22}){1,22}b",
        "(.?){200}(.?){200}=b",
        "(a|b)*a(a|b){150}c",
    ],
)
def test_what_would_keep_python_busy_for_ever_is_answered(source: str) -> None:
    """A test that does not end has failed: Python's engine needs seconds to centuries for these."""
    assert not compiled(source).is_in(LONGEST_LINE)
    assert list(compiled(source).spans(LONGEST_LINE, 10)) == []


@pytest.mark.parametrize(
    "source",
    [
        "x" * MAX_PATTERN_CHARS,
        "a{100}" * 5,
        f"a{{{MAX_PLACES}}}",
        f"a{{0,{MAX_PLACES}}}",
        f"a{{{MAX_PLACES - 1},}}",
        f"(a|b){{{MAX_PLACES // 3}}}",
        "()" * 90,
        "(){500}",
        "(a){500}",
        "\\.{500}",
        "[a]{500}",
        "(a{300}){1}",
        "(a{400}){,}",
        "[a]--",
        r"\w{64}",
    ],
)
def test_what_asks_for_no_more_than_may_be_is_taken(source: str) -> None:
    compiled(source)


@pytest.mark.parametrize(
    ("source", "column", "why"),
    [
        ("x" * (MAX_PATTERN_CHARS + 1), MAX_PATTERN_CHARS, "longer than the 200 characters"),
        ("b" + f"a{{{MAX_PLACES}}}", 2, "asks for more than 500 characters"),
        (f"a{{{MAX_PLACES + 1}}}", 1, "asks for more than 500 characters"),
        (f"a{{,{MAX_PLACES + 1}}}", 1, "asks for more than 500 characters"),
        (f"a{{{MAX_PLACES},}}", 1, "asks for more than 500 characters"),
        ("a{500}b", 6, "asks for more than 500 characters"),
        ("a{500}[b]", 6, "asks for more than 500 characters"),
        ("a{500}\\b", 6, "asks for more than 500 characters"),
        ("((ab){20}){20}", 10, "asks for more than 500 characters"),
        ("((a){30}b){20}", 10, "asks for more than 500 characters"),
        ("(){501}", 2, "asks for more than 500 characters"),
        (r"x\w{200}", 0, "asks for too much"),
        ("a(?i)", 1, "only plain groups"),
        ("(?P<n>a)", 0, "only plain groups"),
        ("(?:a)(?=b)", 5, "look-ahead is not supported"),
        ("a(?!b)", 1, "look-ahead is not supported"),
        ("(?<=a)b", 0, "look-behind is not supported"),
        ("(?<!a)b", 0, "look-behind is not supported"),
        ("x(?>a)", 1, "atomic groups are not supported"),
        ("(a)(?(1)b)", 3, "conditions are not supported"),
        ("(?P=n)", 0, "back-references are not supported"),
        ("(a)\\1", 3, "back-references are not supported"),
        ("(a)0\\9b", 4, "back-references are not supported"),
        ("a*+b", 2, "possessive repeats are not supported"),
        ("a*+", 2, "possessive repeats are not supported"),
        ("a{2}+", 4, "possessive repeats are not supported"),
        ("\\N{BULLET}", 0, "names of characters are not supported"),
        ("[\\N{BULLET}]", 1, "names of characters are not supported"),
        ("é\\b", 1, "\\b knows the letters a to z only"),
        ("\\Bé", 0, "\\B knows the letters a to z only"),
        ("[[b]", 1, "write \\[ inside [ ]"),
        ("[a[b]", 2, "write \\[ inside [ ]"),
        ("[a&&b]", 2, "write \\& inside [ ]"),
        ("[a-", 0, "unterminated"),
        ("ab)", 2, "unbalanced"),
        ("(ab", 0, "missing )"),
        ("a**", 2, "multiple repeat"),
        ("*a", 0, "nothing to repeat"),
        ("a\\", 1, "bad escape"),
        ("\\q", 0, "bad escape"),
        ("[z-a]", 1, "bad character range"),
        ("[", 0, "unterminated"),
        ("[^", 0, "unterminated"),
        ("\\U99999999", 0, "no character has this number"),
        ("[\\U00110000]", 1, "no character has this number"),
    ],
)
def test_what_is_refused_is_named_where_it_stands(source: str, column: int, why: str) -> None:
    found = refused(source)
    assert why in found.message
    assert found.column == column


@pytest.mark.parametrize(
    ("source", "found", "missed"),
    [
        ("Ab", "xaBx", "a b"),
        ("É", "é", "e"),
        ("ж", "Ж", "k"),
        ("fail$", "will fail\n", "fail\n\n"),
        ("fail\\Z", "will fail", "fail\n"),
        ("\\Afail", "fail", "\nfail"),
        ("^b", "b", "a\nb"),
        ("a.c", "abc", "a\nc"),
        (r"\berror", "an error", "terror"),
        (r"e\Br", "er", "e r"),
        (r"^\w+$", "Zoë_1字", "a b"),
        (r"^\W$", "—", "é"),
        (r"^\d+$", "٣7", "a"),
        (r"^\D$", "a", "٣"),
        (r"^\s$", "\u2003", "\u200b"),
        (r"^\S$", "\u200b", "\u2003"),
        (r"^[\w.-]+$", "Zoë.x-y", "a b"),
        (r"^[^\W_]$", "é", "_"),
        (r"^[\W]$", "‿", "_"),
        (r"^[\d]$", "٣", "a"),
        (r"^[\D]$", "a", "٣"),
        (r"^[\s]$", "\u3000", "a"),
        (r"^[\S]$", "\u3001", "\u3000"),
        (r"^[\S]$", "\x1b", "\x1c"),
        ("^[]x]$", "]", "["),
        ("^[]]a$", "]a", "]"),
        (r"^[\]]a$", "]a", "]"),
        ("^[^]x]$", "[", "]"),
        ("^[-a]$", "-", "b"),
        ("^[a-]$", "-", "b"),
        ("^[a-cx-]$", "-", "d"),
        (r"^[\]\-\\]$", "\\", "a"),
        (r"^[\x61-\u0063]$", "B", "d"),
        (r"^[\b]$", "\b", "b"),
        (r"^[\1]$", "\x01", "1"),
        (r"^[\101-C]$", "b", "d"),
        (r"^\x2e$", ".", "a"),
        (r"^\u00e9\U0001f600$", "é😀", "e"),
        (r"^\U0010ffff$", "\U0010ffff", "f"),
        (r"^\0$", "\0", "0"),
        (r"^\012$", "\n", "012"),
        (r"^\a\f\r\t\v\n", "\a\f\r\t\v\n", "afrtvn"),
        (r"^\.\ \_\é$", ". _é", "a"),
        ("^a{,2}$", "aa", "aaa"),
        ("^a{,2}$", "", "aaa"),
        ("^a{,}$", "aaaa", "b"),
        ("^a{2}$", "aa", "a"),
        ("^a{2,}$", "aaa", "a"),
        ("^a{2,3}?$", "aa", "aaaa"),
        ("^{}$", "{}", ""),
        ("^x{}{2}$", "x{}}", "x{}"),
        ("^a{b}$", "a{b}", "ab"),
        ("(?:ssh|http)(s)? timed", "HTTPS timed out", "ftp timed"),
        ("(|a)b", "b", "a"),
        ("[(+*]+", "x(+", "x"),
        ("a{1}?b", "ab", "b"),
    ],
)
def test_a_pattern_means_what_it_means_in_python(source: str, found: str, missed: str) -> None:
    assert re.search(source, found, re.IGNORECASE)
    assert not re.search(source, missed, re.IGNORECASE)
    assert compiled(source).is_in(found)
    assert not compiled(source).is_in(missed)


LETTERS = ("a", "B", "é", "Ж", "ß", "-", "_", " ", "{", "}", "x{")
ESCAPES = (r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\n", r"\x61", r"\u0436", r"\.", r"\0", r"\é")
CLASSES = ("[ab]", "[^a]", r"[\w.-]", r"[^\W_]", r"[a-c\d]", "[]x]", "[-a]", r"[^\S\n]", "[!-~]")
ATOMS = st.sampled_from((*LETTERS, *ESCAPES, *CLASSES, ".", "^", r"\A"))
REPEATS = st.sampled_from(["", "*", "+", "?", "{2}", "{,2}", "{1,}", "*?", "+?", "??", "{1,2}?"])


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.builds("{}{}){}".format, st.sampled_from(["(", "(?:"]), inner, REPEATS)
    return st.one_of(
        group, st.builds("{}|{}".format, inner, inner), st.builds("{}{}".format, inner, inner)
    )


PATTERNS = st.recursive(st.builds("{}{}".format, ATOMS, REPEATS), grown, max_leaves=6)
TEXTS = st.text("abAB09 _-.{}\néÉЖж٣字\u2003ßx\0]^\u0301", max_size=12)


@given(PATTERNS, TEXTS)
def test_both_engines_find_the_same(source: str, text: str) -> None:
    try:
        python = re.compile(source, re.IGNORECASE)
    except re.error:
        refused(source)
        return
    ours = compiled(source)
    assert ours.is_in(text) == (python.search(text) is not None)
    if not python.search(""):  # after an empty match they go on in different ways
        assert list(ours.spans(text, 100)) == [hit.span() for hit in python.finditer(text)]


@given(st.text("abé()[]|*+?{}1,9\\^$.-:=!<P", max_size=20), st.text(max_size=20))
def test_any_pattern_is_compiled_or_refused_in_place(source: str, text: str) -> None:
    found = compile_bounded(source)
    if isinstance(found, BoundedRegex):
        found.is_in(text)
    else:
        assert 0 <= found.column <= len(source)
        assert found.message


def test_any_line_of_a_log_is_searched_to_its_end() -> None:
    assert compiled("a*b").is_in(LONGEST_LINE + "b")


@pytest.mark.parametrize("filler", ["a", "é"])
def test_only_the_beginning_of_a_long_task_is_looked_at(filler: str) -> None:
    assert compiled("b").is_in(filler * (MAX_SEARCHED_CHARS - 1) + "b")
    assert not compiled("b").is_in(filler * MAX_SEARCHED_CHARS + "b")
    assert list(compiled("b").spans(filler * (MAX_SEARCHED_CHARS - 1) + "bb", 9)) == [
        (MAX_SEARCHED_CHARS - 1, MAX_SEARCHED_CHARS)
    ]


def test_places_are_counted_in_characters() -> None:
    assert list(compiled("b").spans("éb字b", 9)) == [(1, 2), (3, 4)]
    assert list(compiled("b").spans("bbb", 2)) == [(0, 1), (1, 2)]


def test_half_a_character_is_no_trouble() -> None:
    assert list(compiled("b").spans("\ud800b", 9)) == [(1, 2)]
    assert not compiled("\ud800").is_in("\ud800")
