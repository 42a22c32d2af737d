"""The filter language: what it means, what it refuses, and that it reads what it writes."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.text.filters.filter import Filter, parse
from fleet_tui.core.text.filters.nodes import (
    AllOf,
    AnyOf,
    Compare,
    Equals,
    FilterProblem,
    Like,
    Node,
    Not,
    Operator,
    Pattern,
    Value,
    Word,
)
from fleet_tui.core.text.regex import BoundedRegex, compile_bounded

NOW_MS = 1_795_262_671_118  # 2026-11-21 12:04:31.118 UTC
KEYS = frozenset(
    {"agent", "pool", "region", "state", "cap", "label.*", "prio", "level", "p95", "cost"}
    | {"err", "version"}
)

AGENT: dict[str, Value] = {
    "agent": "agent-06",
    "pool": "gpu",
    "cap": frozenset({"gpu", "browser"}),
    "label.team": "Search",
    "prio": "P1",
    "level": "WARN",
    "p95": 6_400.0,
    "cost": 390_000,
    "err": 7.9,
    "version": "1.10.2",
    "at": float(NOW_MS - 60_000),
}
TEXT = "p95 6.4s is 3.1x the pool baseline [/x]"


def understood(text: str) -> Filter:
    found = parse(text, now_ms=NOW_MS, keys=KEYS)
    assert isinstance(found, Filter), found
    return found


def refused(text: str) -> FilterProblem:
    found = parse(text, now_ms=NOW_MS, keys=KEYS)
    assert isinstance(found, FilterProblem), found
    return found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "baseline",
        "BASE pool",
        '"the pool"',
        "[/x]",
        "/6\\.\\ds/",
        "/P95.*x/",
        "agent:agent-06",
        "agent:AGENT-06",
        "agent=agent-06",
        "agent:agent-0*",
        "pool:cpu|gpu",
        "cap:browser",
        "label.team:search",
        'label.team:"Search"',
        "pool!=cpu",
        "region!=eu",
        "p95>5s",
        "p95>5",
        "p95>=6.4s",
        "p95<1m",
        "cost<$0.40",
        "cost<0.4",
        "err>7%",
        "level>=warn",
        "level<error",
        "version>1.9",
        "version>=1.10.2",
        "prio<=P1",
        "agent~06$",
        "agent~/^agent/",
        "-offline",
        "-pool:cpu",
        "-(offline or missing)",
        "offline or baseline",
        "OR-ange or baseline",
        "(offline or pool) baseline",
        "offline nothing or pool baseline",
        "since:5m",
        "until:12:04",
        "since:2026-11-21",
        "until:30s (pool)",
        "since=5m",
        "(since:5m)",
        "until:60s",
        "(pool)baseline",
        "cost:0.39",
        "cost:$0.39",
        "err:7.9",
        "p95:6.4",
        "p95:1|6.4s",
        "version>1.9.9",
        "version<1.10.2a",
        "version>=1.010.002",
        "(pool) " * 12,
        "-offline " * 12,
        "(pool) " + "(" * 10 + "pool" + ")" * 10,
        "-offline " + "-" * 10 + "pool",
        " " * 996 + "pool",
    ],
)
def test_what_lets_it_pass(text: str) -> None:
    assert understood(text).matches(AGENT.get, TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "offline",
        '"pool the"',
        "/6\\.5s/",
        "agent:agent-0",
        "agent:06",
        "region:eu",
        "cap:audio",
        "pool!=gpu",
        "p95>6.4s",
        "p95<5s",
        "cost>$0.40",
        "region>a",
        "level>warn",
        "version<1.9",
        "agent~^06",
        "-baseline",
        "pool offline",
        "offline or missing",
        "since:30s",
        "until:5m",
        "label.other:x",
        "p95<6.4s",
        "cost:0.4",
        "err:7",
        "agent:agent-0?*",
        "agent:[a]gent*",
    ],
)
def test_what_holds_it_back(text: str) -> None:
    assert not understood(text).matches(AGENT.get, TEXT)


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("pool agnet:x", 5, "did you mean agent:"),
        ("http://x", 0, 'quote it to search the text: "http://x"'),
        ("labl.team:x", 0, "did you mean label.team:"),
        ("agent:", 6, "a value is missing after agent"),
        ("agent:a|", 8, "a value is missing"),
        ('"open', 0, "not closed"),
        ('""', 0, "nothing stands between the quotes"),
        ("/open", 0, "not closed"),
        ("//", 0, "nothing stands between the slashes"),
        ("(a", 0, "not closed"),
        ("a)", 1, "closes nothing"),
        ("a ()", 2, "nothing stands between"),
        ("or a", 0, "before"),
        ("a or", 4, "after or"),
        ("a or or b", 5, "after or"),
        ("a or b or", 9, "after or"),
        ("since:", 6, "needs a time"),
        ("sinc:5m", 0, "did you mean since:"),
        ("untl:5m", 0, "did you mean until:"),
        ("(a) (a) " + "(" * 11 + "a" + ")" * 11, 18, "nested deeper"),
        ("-a -a " + "-" * 11 + "a", 16, "nested deeper"),
        (" " * 997 + "pool", 1_000, "longer than"),
        ("a - b", 2, "must follow - at once"),
        ("(a -)", 3, "must follow - at once"),
        ("since:soon", 6, "needs a time"),
        ("since>5m", 5, "takes only :"),
        ("/[/", 1, "regular expression"),
        ("x /(a+)\\1/", 7, "regular expression"),
        ("agent~(a|b)*", 6, "between slashes"),
        ("(" * 20 + "a" + ")" * 20, 10, "nested deeper"),
        ("-" * 20 + "a", 10, "nested deeper"),
        ("a " * 60, 100, "more than 50 terms"),
        ("x" * 2_000, 1_000, "longer than"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, column: int, says: str) -> None:
    problem = refused(text)
    assert says in f"{problem.message} {problem.hint}"
    assert problem.column == column


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a)", "this ) closes nothing", ""),
        (
            "pool agnet:x",
            "no key is named agnet",
            'did you mean agent:? or quote it to search the text: "agnet:x"',
        ),
        ("labels:x", "no key is named labels", 'quote it to search the text: "labels:x"'),
        ("pool -", "a term must follow - at once", 'quote it: "-"'),
        ("pool /open", "this / is not closed", 'to search for a slash: "/open"'),
        ("agent~ x", "a pattern is missing after agent~", "between slashes: agent~/ab|cd/"),
        ("since>5m", "since takes only :", "since:10m or since:12:00"),
        (
            "until:soon",
            "until needs a time",
            "such as until:10m, until:12:00, until:2026-11-21T12:00",
        ),
        (
            "/(?i)/",
            "regular expression: only plain groups ( ) and (?: ) are supported",
            "use words",
        ),
    ],
)
def test_what_is_wrong_says_how_it_is_done(text: str, message: str, hint: str) -> None:
    problem = refused(text)
    assert (problem.message, problem.hint) == (message, hint)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("version:a[1]*", "a[1]x", True),
        ("version:a[1]*", "a1x", False),
        ("version:?*", "?x", True),
        ("version:a?", "ab", False),
        ("version>1", "1_", True),
        ("version<1a", "1_", True),
        ("version<a", "99", True),
        ("version>9", "1" * 5_000, True),
        ("version<2", "1." + "0" * 5_000 + "1", True),
    ],
)
def test_values_of_agents_are_compared_as_they_are(text: str, value: str, holds: bool) -> None:
    assert understood(text).matches({"version": value}.get, "") is holds


def test_an_instant_is_part_of_what_it_begins_and_ends() -> None:
    for text in ("since:1m", "until:1m"):
        assert understood(text).matches({"at": NOW_MS - 60_000}.get, "")
    assert not understood("since:1m").matches({"at": NOW_MS - 60_001}.get, "")
    assert not understood("until:1m").matches({"at": NOW_MS - 59_999}.get, "")


def test_any_label_can_be_asked_for() -> None:
    assert understood("label.a.b:x").node == Equals("label.a.b", ("x",))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("baseline   pool", "baseline pool"),
        ('"base"', "base"),
        ('"or" "pool:x" "a b"', '"or" "pool:x" "a b"'),
        ('"a \\"b\\\\"', '"a \\"b\\\\"'),
        ("pool=cpu|gpu", "pool:cpu|gpu"),
        ("pool!=cpu|gpu", "pool!=cpu|gpu"),
        ("-pool:cpu", "pool!=cpu"),
        ("-(a b)", "-(a b)"),
        ("-(a or b) c", "-(a or b) c"),
        ("(a b) or c", "a b or c"),
        ("(a or b) or (c d)", "(a or b) or c d"),
        ("agent~/^a/", "agent~^a"),
        ("since:5m until=12:00", "since:5m until:12:00"),
    ],
)
def test_a_filter_is_written_as_short_as_it_can_be(text: str, written: str) -> None:
    assert str(understood(text)) == written
    assert repr(understood(text)) == f"Filter({written!r})"


def test_what_is_quoted_is_taken_as_it_is() -> None:
    assert understood('"a\\"b\\\\c\\\nd"').node == Word('a"b\\c\nd')


def test_filters_are_equal_and_told_apart() -> None:
    assert understood("a  b") == understood("a b")
    assert hash(understood("a  b")) == hash(understood("a b"))
    assert understood("a") != understood("b")
    assert hash(understood("a")) != hash(understood("b"))


def test_clock_times_are_local() -> None:
    asked = parse("since:13:00", now_ms=NOW_MS, keys=KEYS, offset_minutes=60)
    assert isinstance(asked, Filter)
    assert asked.matches({"at": NOW_MS - 271_118}.get, "")
    assert not asked.matches({"at": NOW_MS - 271_119}.get, "")


def test_what_was_found_can_be_highlighted() -> None:
    asked = understood('pool "3.1x" /s[^ ]* b/ -baseline agent:x')
    assert [TEXT[a:b] for a, b in asked.spans(TEXT)] == ["3.1x", "pool"]
    assert understood("aa or aaa").spans("xaaay") == ((1, 4),)
    assert understood("a or b").spans("ab") == ((0, 2),)
    assert understood("POOL").spans("pool") == ((0, 4),)
    assert understood("/b/").spans("a" * 8_191 + "bb") == ((8_191, 8_192),)
    assert understood("-a").spans("a") == ()
    assert understood("/x*/").spans("abc") == ()
    assert len(understood("a").spans("a b " * 500)) <= 100


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
NAMES = st.sampled_from(("agent", "pool", "p95", "label.team", "label.x-y"))
PATTERNS = st.text(string.ascii_letters + ' .:^$[]|-"', min_size=1, max_size=8).filter(
    lambda source: isinstance(compile_bounded(source), BoundedRegex)
)
OPERATORS: st.SearchStrategy[Operator] = st.sampled_from(("<", "<=", ">", ">="))
LEAVES: st.SearchStrategy[Node] = st.one_of(
    st.builds(Word, WORDS),
    st.builds(Pattern, PATTERNS),
    st.builds(Equals, NAMES, st.lists(WORDS, min_size=1, max_size=3).map(tuple)),
    st.builds(Compare, NAMES, OPERATORS, WORDS),
    st.builds(Like, NAMES, PATTERNS),
)


def grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(Not, inner), st.builds(AllOf, several), st.builds(AnyOf, several))


@given(st.recursive(LEAVES, grown, max_leaves=8))
def test_what_is_written_reads_the_same(node: Node) -> None:
    written = str(Filter(node))
    assert parse(written, now_ms=NOW_MS, keys=KEYS) == Filter(node), written


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_understood_or_refused_in_place(text: str, line: str) -> None:
    found = parse(text, now_ms=NOW_MS, keys=KEYS)
    if isinstance(found, FilterProblem):
        assert 0 <= found.column <= len(text)
        return
    found.matches(AGENT.get, line)
    ends = [end for span in found.spans(line) for end in span]
    assert ends == sorted(ends)
    assert parse(str(found), now_ms=NOW_MS, keys=KEYS) == found


GRAMMAR = st.lists(
    st.sampled_from(
        [
            "a",
            '"b c"',
            "/d.e/",
            "agent:",
            "agent:x",
            "or",
            "(",
            ")",
            "-",
            "|",
            "p95>",
            "5s",
            " ",
            "~",
        ]
    ),
    max_size=12,
).map("".join)


@given(GRAMMAR)
def test_pieces_of_the_grammar_in_any_order(text: str) -> None:
    found = parse(text, now_ms=NOW_MS, keys=KEYS)
    if isinstance(found, Filter):
        assert parse(str(found), now_ms=NOW_MS, keys=KEYS) == found
    else:
        assert found.message


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a.*b", "xaxxb"),
        ("(?:ssh|http) timed", "SSH timed out"),
        ("[(+*]+", "x(+"),
        ("(abc)?d", "d"),
        ("\\(a\\+\\)", "(a+)"),
        ("^t-\\d{3,5}$", "t-48213"),
        ("[]]", "]"),
        ("a+?b", "aab"),
    ],
)
def test_ordinary_patterns_are_fine(source: str, text: str) -> None:
    regex = compile_bounded(source)
    assert isinstance(regex, BoundedRegex)
    assert regex.is_in(text)
