"""What a filter passes, the store gives: its query may give more, and never less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.console.views.logs.lines import log_matches
from fleet_tui.console.views.logs.pane import FILTER_KEYS
from fleet_tui.console.views.logs.sieve import sieved
from fleet_tui.core.ids import AgentName
from fleet_tui.core.logs import Level, LogLine, LogQuery
from fleet_tui.core.text.filters.filter import Filter, parse
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fake_feed import FakeFeed

NOW_MS = 1_795_201_000_000
A, B = AgentName("agent-1"), AgentName("Agent-2")
BASE = LogQuery(limit=1_000)

TERMS = (
    *("disk", "DISK", "k", "\u212a", "é", "/di.k/", '"a b"', "-disk", "(disk or full)"),
    *("level:error", "level:warn|error", "level:w*", "level:none", "level!=info"),
    *("level>=warn", "level>warn", "level<error", "level>=nonsense"),
    *(
        "agent:agent-1",
        "agent:AGENT-1",
        "agent:agent-2",
        "agent:Agent-2",
        "agent:fleet",
        "agent:a*",
    ),
    *("since:10m", "since:5m", "until:3m", "task:t"),
)
TEXTS = ("disk full", "DIS\u212a", "dis", "a b", "É", "nothing", "100%")
MINUTE_MS = 60_000


def parsed(text: str) -> Filter:
    found = parse(text, now_ms=NOW_MS, keys=FILTER_KEYS)
    assert isinstance(found, Filter), found
    return found


lines = st.lists(
    st.builds(
        LogLine,
        received_at_ms=st.integers(0, 12).map(lambda ago: NOW_MS - ago * MINUTE_MS),
        source=st.sampled_from([A, B, None]),
        level=st.sampled_from(Level),
        text=st.sampled_from(TEXTS).map(Untrusted),
        line_id=st.integers(1, 50),
    ),
    max_size=30,
)


@given(lines, st.lists(st.sampled_from(TERMS), min_size=1, max_size=4))
async def test_no_line_that_a_filter_passes_is_held_back(
    said: list[LogLine], terms: list[str]
) -> None:
    wanted = parsed(" ".join(terms))
    given_ = await FakeFeed(lines=said).logs(sieved(BASE, wanted, (A, B)))
    assert [line for line in given_ if log_matches(wanted, line)] == [
        line for line in said if log_matches(wanted, line)
    ]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("a disk", LogQuery(contains="disk")),
        ("level>=warn", LogQuery(level=Level.WARN)),
        ("level:error|warn disk", LogQuery(level=Level.WARN, contains="disk")),
        ("level:e*", LogQuery()),
        ("agent:agent-1", LogQuery(source=A)),
        ("agent:fleet", LogQuery()),
        (
            "agent:agent-1 (level:error (disk))",
            LogQuery(source=A, level=Level.ERROR, contains="disk"),
        ),
        ("since:5m", LogQuery(since_ms=NOW_MS - 5 * MINUTE_MS)),
        (
            "since:5m since:3m until:1m",
            LogQuery(since_ms=NOW_MS - 3 * MINUTE_MS, until_ms=NOW_MS - MINUTE_MS),
        ),
        ("disk or full", LogQuery()),
        ("é", LogQuery()),
    ],
)
def test_a_query_says_as_much_of_a_filter_as_it_can(text: str, query: LogQuery) -> None:
    assert sieved(LogQuery(), parsed(text), (A, B)) == query


def test_what_a_query_asks_already_stays() -> None:
    asked = LogQuery(source=B, since_ms=NOW_MS, level=Level.ERROR)
    wanted = parsed("agent:agent-1 since:5m level>=warn")
    assert sieved(asked, wanted, (A, B)) == asked
