"""What an operator trips over: cut words, keys that do nothing, news out of sight."""

import pytest

from fleet_tui.console.glyphs import UNICODE
from fleet_tui.console.panes.routing import RoutingPane
from fleet_tui.console.widgets.fleet_table import FleetTable
from tests.support.console import console, press, running, text_of, until
from tests.support.scene import agent_name


@pytest.mark.parametrize("width", [80, 120])
async def test_how_to_read_a_pane_is_whole_at_every_width(width: int) -> None:
    app = console()
    async with running(app, (width, 40)) as pilot:
        await press(pilot, "5", "question_mark")
        await until(pilot, lambda: "enter does it" in text_of(app))
        said = " ".join(" ".join(text_of(app).split()).split())
        for sentence in RoutingPane.help_text.splitlines():
            assert sentence in said


async def test_problems_only_is_offered_where_something_can_be_one() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "question_mark")
        await until(pilot, lambda: "enter does it" in text_of(app))
        before = text_of(app)
        assert " ! problems" not in before.splitlines()[-1]
        await press(pilot, "exclamation_mark")
        assert "No problems among" not in text_of(app)


async def test_a_narrow_column_keeps_the_sign_of_its_order() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "3")
        await until(pilot, lambda: "PHASE" in text_of(app) or "TASK" in text_of(app))
        screen = app.visible_screen
        assert screen is not None
        table = screen.query_one(FleetTable)
        narrow = min(table._columns, key=lambda column: column.width)
        table.sort_by(narrow.key)
        wanted = {
            f"{narrow.title} {UNICODE.sort_ascending}",
            f"{narrow.title}{UNICODE.sort_ascending}",
        }
        await until(pilot, lambda: any(title in text_of(app) for title in wanted))


async def test_what_is_worse_above_the_window_is_told() -> None:
    app = console()
    async with running(app, (120, 24)) as pilot:
        await press(pilot, "2", "G")
        await until(pilot, lambda: "worse above" in text_of(app))
        await press(pilot, "g")
        await until(pilot, lambda: "worse above" not in text_of(app))
        assert str(agent_name(14)) in text_of(app)
