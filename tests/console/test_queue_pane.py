"""The head of the queue pane: whole parts, the one that wants eyes first."""

import pytest
from msgspec.structs import replace

from fleet_tui.console.text.glyphs import ASCII
from fleet_tui.console.views.queue.pane import summary
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.status import summarize

BUSY = replace(
    summarize(EMPTY_STATE, 0),
    waiting=37,
    held=1,
    oldest_wait_ms=293_000,
    queue_trend_per_minute=15.0,
)
WHOLE = "37 waiting ^+15/min  1 held  oldest 4m53s"


@pytest.mark.parametrize(
    ("width", "shown"),
    [(len(WHOLE), WHOLE), (len(WHOLE) - 1, "37 waiting ^+15/min  1 held"), (12, "37 waiting")],
)
def test_no_part_is_cut_and_the_held_tasks_stand_first(width: int, shown: str) -> None:
    assert "".join(cell.text for cell in summary(BUSY, ASCII, width)) == shown


def test_a_queue_that_shrinks_says_when_it_is_clear() -> None:
    calm = replace(BUSY, held=0, oldest_wait_ms=None, queue_trend_per_minute=-37.0)
    assert "".join(cell.text for cell in summary(calm, ASCII, 80)) == (
        "37 waiting v-37/min  clear ~1m"
    )
