"""The engine goes away: nothing on screen looks current, and nothing is sent."""

import pytest

from fleet_tui.console.actions.action import ENGINE_AWAY
from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.views.agents.pane import HealthPane
from fleet_tui.feed.feed import Link
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed, reconnecting


def colours(app: FleetApp) -> set[str]:
    """Foregrounds of the first rows of the agents."""
    table = app.screen_stack[1].query_one("#health", HealthPane).table
    return {
        segment.style.color.name
        for y in range(2, 6)
        for segment in table.render_line(y)
        if segment.text.strip() and segment.style is not None and segment.style.color is not None
    }


async def test_the_header_says_since_when_and_everything_is_dim_until_it_is_back() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, (80, 24)) as pilot:
        before = colours(app)
        assert len(before) > 2
        reconnecting(feed)
        await until(pilot, lambda: "RECONNECTING since 12:04:31" in text_of(app))
        feed.tick(90_000)
        await until(pilot, lambda: app.view.now_ms == feed.view().now_ms)
        assert "RECONNECTING since 12:04:31" in text_of(app), "not since the last second"
        assert len(colours(app)) == 1
        feed.push(link=Link.ATTACHED, link_detail="")
        await until(pilot, lambda: "RECONNECTING" not in text_of(app))
        assert colours(app) == before


@pytest.mark.parametrize("key", ["C", "T"])
async def test_keys_that_act_are_refused_in_words(key: str) -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        assert f" {key} " in text_of(app).splitlines()[-1]
        reconnecting(feed)
        await until(pilot, lambda: f" {key} " not in text_of(app).splitlines()[-1])
        await press(pilot, key)
        assert any(ENGINE_AWAY in notice.text for notice in app.notices)
        assert feed.sent == []


async def test_an_engine_that_is_only_starting_is_not_lost() -> None:
    feed = FakeFeed()
    reconnecting(feed, "the engine is starting")
    app = console(feed)
    async with running(app) as pilot:
        await until(pilot, lambda: "STARTING" in text_of(app))
        assert "RECONNECTING" not in text_of(app)
        assert len(colours(app)) > 2, "the ledger's rows are as they are"
