"""Looking back: sessions, the band of time, its keys, and that nothing can be sent."""

import pytest
from syrupy.assertion import SnapshotAssertion

from fleet_tui.base.errors import FleetError
from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.widgets.timeline_band import TimelineBand
from fleet_tui.feed.feed import Mode
from tests.support.console import COLOURFUL, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.fake_review import MARKS, SESSIONS, START_MS, FakeReview, FakeSessions
from tests.support.scene import NOW_MS


def review_app() -> tuple[FleetApp, FakeReview]:
    """A console that was opened on a recording."""
    feed = FakeReview()
    return FleetApp(feed, timeline=feed, theme="fleet-dark", env=COLOURFUL), feed


class Vanished(FakeReview):
    """Its files were deleted while it was looked at: told once."""

    is_told = False

    async def changed(self) -> None:
        if not self.is_told:
            self.is_told = True
            raise FleetError("the recording was deleted", hint="open it again")
        await super().changed()


async def test_a_recording_that_is_deleted_stays_on_screen_and_says_so() -> None:
    feed = Vanished()
    app = FleetApp(feed, timeline=feed, theme="fleet-dark", env=COLOURFUL)
    async with running(app) as pilot:
        await until(pilot, lambda: "the recording was deleted - open it again" in text_of(app))
        await press(pilot, "comma", "p")
        assert "you are here" in text_of(app)


def live_app() -> tuple[FleetApp, FakeFeed, FakeSessions]:
    """A live console with a shelf of sessions."""
    feed, sessions = FakeFeed(), FakeSessions()
    return FleetApp(feed, sessions=sessions, theme="fleet-dark", env=COLOURFUL), feed, sessions


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_words_on_the_screen(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    app, feed = review_app()
    async with running(app, size) as pilot:
        await feed.seek(NOW_MS - 381_000)
        await until(pilot, lambda: "REVIEW 11:58:10 x1 paused" in text_of(app))
        assert text_of(app) == snapshot


async def test_the_band_is_there_in_review_only() -> None:
    app, _, _ = live_app()
    async with running(app, (80, 24)):
        assert not app.screen.query_one(TimelineBand).display
        assert "you are here" not in text_of(app)


async def test_keys_move_through_time() -> None:
    app, feed = review_app()
    async with running(app) as pilot:
        await press(pilot, "comma", "comma")
        assert feed.view().now_ms == NOW_MS - 2_000
        await press(pilot, "full_stop")
        assert feed.view().now_ms == NOW_MS - 1_000
        await press(pilot, "left_curly_bracket")
        assert feed.view().now_ms == MARKS[1][0]
        await press(pilot, "left_curly_bracket", "right_curly_bracket")
        assert feed.view().now_ms == MARKS[1][0]
        await press(pilot, "greater_than_sign", "greater_than_sign", "greater_than_sign")
        await press(pilot, "less_than_sign")
        assert feed.speed == 4.0
        await press(pilot, "end")
        assert feed.view().now_ms == NOW_MS
        await press(pilot, "p")
        assert feed.playing
        await until(pilot, lambda: "x4 playing" in text_of(app))
        await press(pilot, "p")
        await until(pilot, lambda: "x4 paused" in text_of(app))


async def test_end_leads_back_to_the_live_fleet_where_there_is_one() -> None:
    app, _, _ = live_app()
    async with running(app) as pilot:
        await press(pilot, "greater_than_sign")
        await until(pilot, lambda: "worst first" not in text_of(app), "sorted while live")
        await press(pilot, "9", "enter")
        await press(pilot, "j", "enter")
        await until(pilot, lambda: "you are here" in text_of(app))
        assert "< > speed" in text_of(app).splitlines()[-1]
        before = text_of(app).splitlines()[3]
        await press(pilot, "greater_than_sign")
        await until(pilot, lambda: "x2 paused" in text_of(app))
        assert text_of(app).splitlines()[3] == before, "the order of the rows is as it was"
        await press(pilot, "end")
        await until(pilot, lambda: app.view.mode is Mode.LIVE)
        await until(pilot, lambda: "< > speed" not in text_of(app).splitlines()[-1])
        await press(pilot, "end")
        assert app.view.mode is Mode.LIVE


@pytest.mark.parametrize(
    ("typed", "at_ms"),
    [
        ("11:40", NOW_MS // 60_000 * 60_000 - 24 * 60_000),
        ("start", START_MS),
        ("-5m", NOW_MS - 300_000),
    ],
)
async def test_t_goes_to_a_time(typed: str, at_ms: int) -> None:
    app, feed = review_app()
    async with running(app) as pilot:
        await press(pilot, "t", *typed)
        assert feed.view().now_ms == NOW_MS, "nothing happens before enter"
        await press(pilot, "enter")
        await until(pilot, lambda: feed.view().now_ms == at_ms)


async def test_a_time_outside_is_explained_in_the_bar() -> None:
    app, feed = review_app()
    async with running(app) as pilot:
        await press(pilot, "t", *"09:00", "enter")
        await until(pilot, lambda: "outside the recording" in text_of(app))
        assert feed.view().now_ms == NOW_MS


async def test_a_click_on_the_band_goes_there() -> None:
    app, feed = review_app()
    async with running(app) as pilot:
        await pilot.click(TimelineBand, offset=(7, 0))
        await until(pilot, lambda: feed.view().now_ms == START_MS)


@pytest.mark.parametrize("key", ["T", "C", "K", "X", "D", "Y", "A", "V", "H", "W", "Q"])
async def test_nothing_can_be_sent_from_a_recording(key: str) -> None:
    app, feed = review_app()
    async with running(app) as pilot:
        await press(pilot, key, "y", "enter")
        assert not feed.sent
        last = text_of(app).splitlines()[-1]
        for hint in ("T submit", "C cordon", "K cancel", "A ack", "V verdict"):
            assert hint not in last


async def test_a_session_opens_for_review_and_q_leads_back_to_the_live_fleet() -> None:
    app, feed, sessions = live_app()
    async with running(app) as pilot:
        await press(pilot, "9")
        await until(pilot, lambda: "outage of tuesday" in text_of(app))
        assert "2026-03-05 11:30:31" in text_of(app)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: "you are here" in text_of(app))
        assert app.view.mode is Mode.REVIEW
        assert app.timeline is sessions.opened[0]
        await until(pilot, lambda: "skill=web-research" in text_of(app), "its own lines")
        assert not feed.is_closed, "the live fleet goes on"
        await press(pilot, "q")
        await until(pilot, lambda: app.view.mode is Mode.LIVE)
        assert sessions.opened[0].is_closed
        assert app.timeline is None
        await until(pilot, lambda: "you are here" not in text_of(app))
        feed.tick(60_000)
        await until(pilot, lambda: app.view.now_ms == NOW_MS + 60_000)


async def test_a_damaged_session_is_told_and_the_live_fleet_stays() -> None:
    app, _, _ = live_app()
    async with running(app) as pilot:
        await press(pilot, "9")
        await until(pilot, lambda: SESSIONS[0].name in text_of(app))
        await press(pilot, "enter")
        await until(pilot, lambda: any("hash chain is broken" in n.text for n in app.notices))
        assert app.timeline is None


async def test_the_ledger_can_be_read_event_by_event() -> None:
    app, _ = review_app()
    async with running(app) as pilot:
        app.go(Place("review"))
        await until(pilot, lambda: "suspect -> unreachable" in text_of(app))
        assert "agent.health" in text_of(app)


async def test_without_a_shelf_the_view_says_so() -> None:
    app, _ = review_app()
    async with running(app) as pilot:
        await press(pilot, "9")
        await until(pilot, lambda: "has no directory of sessions" in text_of(app))
