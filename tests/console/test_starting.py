"""The first seconds: what is said before the engine answers, and what escape puts away first."""

from fleet_tui.feed.feed import Link
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import quiet_feed


async def test_escape_leaves_a_drill_down_before_it_hides_the_banner() -> None:
    app = console(banner="Simulated fleet, nothing leaves this machine.")
    async with running(app) as pilot:
        await press(pilot, "T", "escape")
        await until(pilot, lambda: "Queue depth" in text_of(app))
        assert "Simulated fleet" in text_of(app)
        await press(pilot, "escape")
        await until(pilot, lambda: "Simulated fleet" not in text_of(app))


async def test_before_the_engine_answers_nothing_is_claimed() -> None:
    feed = quiet_feed(link=Link.RECONNECTING, link_detail="the engine is starting")
    app = console(feed)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "the engine is starting" in text_of(app))
        await until(pilot, lambda: "Waiting for the engine." in text_of(app))
        assert "as of" not in text_of(app)
        assert "STARTING" in text_of(app).splitlines()[0]
        assert "names none" not in text_of(app)
        feed.push(link=Link.ATTACHED)
        await until(pilot, lambda: "names none" in text_of(app))
