"""What stands at the side of the overview, without a screen."""

from fleet_tui.console.views.overview import rows
from fleet_tui.feed.feed import View
from tests.support.fake_feed import FakeFeed
from tests.support.scene import seeded_fleet


def view(**changes: object) -> View:
    feed = FakeFeed()
    feed.push(**changes)
    return feed.view()


def test_pools_count_agents_that_take_work() -> None:
    found = {row.name: row for row in rows.pool_rows(view().state)}
    assert (found["gpu"].up, found["gpu"].agents) == (3, 4)
    assert found["gpu"].slots == 12
    assert round(found["gpu"].busy_percent) == 50
    assert rows.region_counts(seeded_fleet()) == [("eu-w1", 13), ("us-e1", 7)]
    assert rows.client_counts(seeded_fleet()) == [("acme", 6), ("globex", 4), ("shared", 10)]
