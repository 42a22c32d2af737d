"""A cost that nobody knows has its badge wherever the screen tells a cost, alone and in sums."""

import pytest
from msgspec.structs import replace

from fleet_tui.console.shell.places import Place
from fleet_tui.core.tasks.evidence import Finished, Started, Usage
from tests.support.console import console, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.task import Run

DOLLAR = Usage(cost_microusd=1_000_000)


def told(usage: Usage) -> tuple[FakeFeed, str]:
    """A fleet one of whose agents had a run that reported that, and its name."""
    run = Run()
    run.fact(Started())
    run.fact(Finished(ok=True, usage=usage))
    feed = FakeFeed(state=run.story.state)
    feed.push(now_ms=run.story.now_ms)
    return feed, run.task.attempts[0].agent


@pytest.mark.parametrize(
    ("usage", "fleet_rate", "agent_rate", "total"),
    [
        (DOLLAR, "$60.00/h", "$4.00/h", "$1.00"),
        (Usage(unusable=True), "?/h", "?/h", "?"),
        (replace(DOLLAR, unusable=True), "$60.00+?/h", "$4.00+?/h", "$1.00+?"),
    ],
)
async def test_of_an_agent_and_of_the_fleet(
    usage: Usage, fleet_rate: str, agent_rate: str, total: str
) -> None:
    feed, name = told(usage)
    app = console(feed)
    async with running(app, (200, 60)) as pilot:
        app.go(Place("agents"))
        await until(pilot, lambda: "COST" in text_of(app))
        header = text_of(app).splitlines()[0]
        assert f"│ {fleet_rate} │" in header
        (line,) = (line for line in text_of(app).splitlines() if f" {name} " in line)
        assert f" {agent_rate} " in line
        app.go(Place("agent", name))
        await until(pilot, lambda: f"cost {total} " in text_of(app))
