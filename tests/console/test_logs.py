"""The log view: live lines that go on into the store."""

from collections.abc import Sequence

import msgspec
import pytest

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.logs import screen
from fleet_tui.console.views.logs.screen import FIRST_PAGE, OLDER_PAGE, StoredLogsPane
from fleet_tui.console.widgets.log_view import LogView
from fleet_tui.core.agents.canary import canary_run_id
from fleet_tui.core.ids import AgentName, split_run_id
from fleet_tui.core.logs import Level, LogGap, LogLine, LogQuery
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, seeded_state, task_id

STORED = FIRST_PAGE + OLDER_PAGE + 500


def stored_lines() -> list[LogLine]:
    """More lines than one page, numbered; every thousandth is an error."""
    return [
        LogLine(
            received_at_ms=NOW_MS - (STORED - at) * 100,
            source=agent_name(1 + at % 3),
            level=Level.ERROR if at % 1_000 == 0 else Level.INFO,
            text=Untrusted(f"stored line {at:05d}"),
            line_id=at,
        )
        for at in range(1, STORED + 1)
    ]


class CountingFeed(FakeFeed):
    """Remembers what the store was asked for."""

    def __init__(self) -> None:
        super().__init__(lines=stored_lines())
        self._fresh = list(self.stored[-50:])
        self.asked: list[LogQuery] = []

    async def logs(self, query: LogQuery) -> Sequence[LogLine]:
        self.asked.append(query)
        return await super().logs(query)


def pane(app: FleetApp) -> StoredLogsPane:
    return app.screen.query_one(StoredLogsPane)


def view(app: FleetApp) -> LogView:
    return pane(app).lines


async def test_the_store_fills_the_view_and_live_lines_come_once() -> None:
    feed = CountingFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        assert text_of(app).count(f"stored line {STORED:05d}") == 1
        fresh = stored_lines()[-1]
        again = LogLine(
            received_at_ms=NOW_MS, source=agent_name(1), level=Level.INFO,
            text=Untrusted("brand new"), line_id=STORED + 1,
        )  # fmt: skip
        feed.say(fresh, again)
        await until(pilot, lambda: "brand new" in text_of(app))
        assert view(app).line_count == FIRST_PAGE + 1, "a line the store gave is not shown again"


async def test_scrolling_above_the_first_line_reads_on_in_the_store_to_its_beginning() -> None:
    feed = CountingFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        await press(pilot, "g")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE + OLDER_PAGE)
        assert feed.asked[-1].before_line == STORED - FIRST_PAGE + 1
        assert f"stored line {STORED - FIRST_PAGE + 1:05d}" in text_of(app), "nothing moved"
        await press(pilot, "g")
        await until(pilot, lambda: view(app).line_count == STORED)
        await press(pilot, "g")
        assert "stored line 00001" in text_of(app)
        asked = len(feed.asked)
        await press(pilot, "j", "g")
        assert len(feed.asked) == asked, "the store has nothing older"


async def test_one_agents_lines_alone() -> None:
    feed = CountingFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("logs", "agent-02"))
        await until(pilot, lambda: "Logs - agent-02" in text_of(app))
        await until(pilot, lambda: view(app).line_count > 0)
        assert feed.asked[-1].source == "agent-02"
        text = text_of(app)
        assert "agent-01" not in text
        assert "agent-03" not in text
        other = LogLine(
            received_at_ms=NOW_MS, source=agent_name(3), level=Level.INFO,
            text=Untrusted("not mine"), line_id=STORED + 1,
        )  # fmt: skip
        gap = LogGap(received_at_ms=NOW_MS, source=agent_name(2), reason="ring full", lines=12)
        feed.say(other, gap)
        await until(pilot, lambda: "12 lines lost: ring full" in text_of(app))
        assert "not mine" not in text_of(app)


async def test_a_tasks_lines_by_its_label() -> None:
    app = console(FakeFeed())
    async with running(app) as pilot:
        app.go(Place("logs", "t-48170"))
        await until(pilot, lambda: "Logs - t-48170" in text_of(app))
        query = LogQuery(task=task_id(48_170))
        expected = await app.feed.logs(query)
        await until(pilot, lambda: view(app).line_count == len(expected) > 0)


async def test_a_canary_runs_line_says_so_and_stands_for_no_task() -> None:
    feed = CountingFeed()
    app = console(feed)
    async with running(app, (120, 40)) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        run = canary_run_id(agent_name(2), NOW_MS)
        line = LogLine(
            received_at_ms=NOW_MS, source=agent_name(2), level=Level.ERROR,
            text=Untrusted("no such model"), line_id=STORED + 1, task=split_run_id(run)[0],
        )  # fmt: skip
        feed.say(line)
        await until(pilot, lambda: "no such model" in text_of(app))
        [row] = [text for text in text_of(app).splitlines() if "no such model" in text]
        assert " canary " in row
        await press(pilot, "up")
        await press(pilot, "down")
        chosen = pane(app).selection()
        assert chosen.agents == (agent_name(2),)
        assert chosen.tasks == ()


async def test_the_filter_hides_and_tab_in_the_bar_only_marks() -> None:
    app = console(CountingFeed())
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        await press(pilot, "slash", *"level:error")
        await until(pilot, lambda: view(app).line_count == 3)
        await press(pilot, "tab")
        assert view(app).line_count == FIRST_PAGE
        await press(pilot, "tab", "enter")
        await until(pilot, lambda: view(app).line_count == 3)
        assert "hidden" in text_of(app)
        await press(pilot, "escape")
        assert view(app).line_count == FIRST_PAGE


def held(app: FleetApp) -> list[int]:
    """The ids of the lines that can be scrolled to."""
    return [entry.line_id for entry in view(app).shown()]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("00007", [7]),
        ("/0000[78]$/", [7, 8]),
        (f"agent:{agent_name(2)} 0001 or 00007", [1, 7, 10, 13, 16, 19]),
        ("-stored", []),
        ("level:error", [1_000, 2_000, 3_000]),
    ],
)
async def test_a_filter_searches_everything_stored(
    wanted: str, found: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "SEARCHED_AT_ONCE", 100)
    app = console(CountingFeed())
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        await press(pilot, "slash", *wanted, "enter")
        await until(pilot, lambda: held(app) == found and not pane(app).is_searching)
        assert "searching" not in text_of(app)


async def test_a_search_stops_where_the_window_is_full_and_goes_on_above_it() -> None:
    feed = CountingFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        await press(pilot, "slash", *"0 1", "enter")
        await until(pilot, lambda: not pane(app).is_searching)
        before, first = len(feed.asked), held(app)[0]
        assert first > STORED - FIRST_PAGE, "what was held fills the window"
        await press(pilot, "g")
        await until(pilot, lambda: held(app)[0] < first and not pane(app).is_searching)
        assert [query.contains for query in feed.asked[before:]] == ["0"]


async def test_what_lies_between_the_lines_of_a_search_comes_back_without_the_filter() -> None:
    app = console(CountingFeed())
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        first = held(app)
        await press(pilot, "slash", *"00007", "enter")
        await until(pilot, lambda: held(app) == [7])
        assert pane(app).set_filter("00008") is None
        await until(pilot, lambda: held(app) == [8])
        await press(pilot, "escape")
        await until(pilot, lambda: held(app) == first)
        await press(pilot, "g")
        await until(pilot, lambda: held(app)[0] < first[0])
        assert held(app) == list(range(held(app)[0], STORED + 1))


async def test_errors_follow_and_wrap_by_their_keys() -> None:
    app = console(CountingFeed())
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        await press(pilot, "E")
        current = view(app).current
        assert isinstance(current, LogLine)
        assert current.level is Level.ERROR
        assert not view(app).is_following
        await press(pilot, "f")
        assert view(app).is_following
        await press(pilot, "w")
        assert view(app).is_wrapping


async def test_another_time_window_asks_the_store_for_that_window() -> None:
    feed = CountingFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: view(app).line_count == FIRST_PAGE)
        await press(pilot, "t")
        await until(pilot, lambda: "last 1h" in text_of(app))
        await until(pilot, lambda: feed.asked[-1].since_ms == NOW_MS - 3_600_000)


@pytest.mark.parametrize(("width", "shown"), [(80, "gpu-worker-eu…"), (120, "gpu-worker-eu-03")])
async def test_who_said_it_is_told_apart(width: int, shown: str) -> None:
    state = seeded_state()
    agent = AgentName("gpu-worker-eu-03")
    told = LogLine(
        received_at_ms=NOW_MS,
        source=agent,
        level=Level.INFO,
        text=Untrusted("hello"),
        task=task_id(48_170),
        line_id=1,
    )
    named = msgspec.structs.replace(state.agents[agent_name(1)], name=agent)
    agents = {**state.agents, agent: named}
    specs = {
        **state.fleet.agents,
        agent: msgspec.structs.replace(state.fleet.agents[agent_name(1)], name=agent),
    }
    fleet = msgspec.structs.replace(state.fleet, agents=specs)
    feed = FakeFeed(state=msgspec.structs.replace(state, agents=agents, fleet=fleet), lines=[told])
    app = console(feed)
    async with running(app, (width, 40)) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: f"{shown} t-48170" in text_of(app))
