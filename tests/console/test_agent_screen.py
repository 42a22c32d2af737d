"""The screen of one agent: its probes go back beyond the moment in which it was opened."""

from fleet_tui.console.shell.places import Place
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from tests.support.console import console, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name

AGENT = agent_name(1)


def answered(ago_ms: int) -> VitalsReading:
    return VitalsReading(agent=AGENT, observed_at_ms=NOW_MS - ago_ms, latency_ms=12)


def missed(ago_ms: int) -> ProbeFailure:
    return ProbeFailure(agent=AGENT, observed_at_ms=NOW_MS - ago_ms, kind=FailureKind.TIMEOUT)


class MovedFeed(FakeFeed):
    """One agent, and a moment that can be moved back."""

    def __init__(self, past: list[ProbeResult], newest: ProbeResult) -> None:
        super().__init__(probes={AGENT: newest})
        self.past = {AGENT: past}

    def move(self, past: list[ProbeResult], newest: ProbeResult) -> None:
        self.past = {AGENT: past}
        self.push(probes={AGENT: newest})


async def test_probes_from_before_it_was_opened_are_shown_and_new_ones_come_once() -> None:
    feed = MovedFeed([missed(9_000), answered(6_000)], answered(3_000))
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("agent", AGENT))
        await until(pilot, lambda: " probes ✗●● " in text_of(app))
        feed.push(probes={AGENT: missed(1_000)})
        await until(pilot, lambda: " probes ✗●●✗ " in text_of(app))


async def test_where_time_goes_back_the_probes_of_that_time_are_shown() -> None:
    feed = MovedFeed([answered(9_000), answered(6_000)], missed(3_000))
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("agent", AGENT))
        await until(pilot, lambda: " probes ●●✗ " in text_of(app))
        feed.move([missed(60_000)], answered(50_000))
        await until(pilot, lambda: " probes ✗● " in text_of(app))


async def test_before_its_first_probe_none_is_shown() -> None:
    feed = MovedFeed([answered(9_000), answered(6_000)], missed(3_000))
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("agent", AGENT))
        await until(pilot, lambda: " probes ●●✗ " in text_of(app))
        feed.past = {AGENT: []}
        feed.push(probes={}, now_ms=NOW_MS - 60_000)
        await until(pilot, lambda: "Not probed yet." in text_of(app))


async def test_where_time_leaps_the_probes_between_are_shown_too() -> None:
    feed = MovedFeed([answered(9_000), answered(6_000)], missed(3_000))
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("agent", AGENT))
        await until(pilot, lambda: " probes ●●✗ " in text_of(app))
        later_ms = 3_600_000
        feed.past = {AGENT: [missed(-later_ms + 6_000), missed(-later_ms + 3_000)]}
        feed.push(probes={AGENT: answered(-later_ms)}, now_ms=NOW_MS + later_ms)
        await until(pilot, lambda: " probes ✗✗● " in text_of(app))
