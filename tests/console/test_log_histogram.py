"""When the log lines came: counts, their picture, and the key that shows it."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.glyphs import ASCII, UNICODE, Glyphs
from fleet_tui.console.views.logs.histogram import (
    LogHistogram,
    chart_width,
    count_lines,
    height_for,
    histogram_lines,
)
from fleet_tui.console.views.logs.pane import LogsPane
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, task_id

SIZES = [(80, 24), (120, 40), (200, 60)]
MINUTES = 90
EACH_MINUTE = 60


def line(ms_ago: int, level: Level = Level.INFO, number: int = 0) -> LogLine:
    return LogLine(
        received_at_ms=NOW_MS - ms_ago,
        source=agent_name(1 + number % 3),
        level=level,
        text=Untrusted(f"line {number}"),
        line_id=number,
    )


def gap(ms_ago: int) -> LogGap:
    return LogGap(received_at_ms=NOW_MS - ms_ago, source=agent_name(1), reason="ring full", lines=3)


def many() -> list[LogLine]:
    """One line a second for an hour and a half; in the last ten minutes some errors."""
    total = MINUTES * EACH_MINUTE
    found: list[LogLine] = []
    for number in range(1, total + 1):
        ago = (total - number) * 1_000
        late = ago < 600_000
        level = Level.ERROR if late and number % 100 == 0 else Level.INFO
        found.append(line(ago, Level.WARN if number % 50 == 7 else level, number))
    return found


def shown(
    entries: Sequence[LogLine | LogGap], width: int, height: int, glyphs: Glyphs
) -> list[str]:
    counted = count_lines(entries, chart_width(width), NOW_MS)
    assert counted is not None
    lines = histogram_lines(counted, width, height, glyphs=glyphs)
    return ["".join(cell.text for cell in each) for each in lines]


def test_nothing_to_count() -> None:
    assert count_lines([], 40, NOW_MS) is None
    assert count_lines([line(0)], 0, NOW_MS) is None


def test_lines_are_counted_by_level_and_gaps_apart() -> None:
    counted = count_lines(
        [line(5_000), line(5_000, Level.WARN), line(2_000, Level.ERROR), gap(2_000)], 40, NOW_MS
    )
    assert counted is not None
    assert counted.step_ms == 1_000
    assert [sum(row) for row in (counted.every, counted.warnings, counted.errors)] == [3, 1, 1]
    assert (counted.every[0], counted.errors[3], counted.gaps[3]) == (2, 1, 1)
    assert len(counted.every) == 6, "it ends now, not with the last line"


@given(
    st.lists(st.integers(0, 10**11), min_size=1, max_size=50),
    st.integers(1, 200),
    st.sampled_from(list(Level)),
)
def test_every_line_is_in_one_column(agos: list[int], columns: int, level: Level) -> None:
    counted = count_lines([line(ago, level) for ago in agos], columns, NOW_MS)
    assert counted is not None
    assert len(counted.every) <= columns
    assert sum(counted.every) == len(agos)
    assert all(counted.column(NOW_MS - ago) is not None for ago in agos)


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("width", [60, 80, 118, 198])
@pytest.mark.parametrize("room", [4, 10, 20, 50])
def test_it_keeps_to_its_size(width: int, room: int, glyphs: Glyphs) -> None:
    height = height_for(room)
    lines = shown([*many(), gap(3_000)], width, height, glyphs)
    assert len(lines) == height < room
    assert max(len(each) for each in lines) <= width
    assert any("5 400  most" in each for each in lines)
    if glyphs is ASCII:
        assert all(each.isascii() for each in lines)


def test_a_row_for_each_level_and_the_time_below() -> None:
    *_, every, warn, error, when = shown(many(), 118, 7, UNICODE)
    assert every.startswith("all ")
    assert warn.startswith("warn ")
    assert error.startswith("error ")
    assert "108" in warn
    assert error.split()[-3:] == ["6", "most", "1"]
    assert when.split() == ["10:34:00", "12:05:00", "1m", "a", "column"]


def test_one_column_is_pointed_at() -> None:
    counted = count_lines(many(), chart_width(118), NOW_MS)
    assert counted is not None
    for ms_ago in (0, 40 * 60_000, 5_399_000):
        here = histogram_lines(counted, 118, 7, glyphs=UNICODE, here_ms=NOW_MS - ms_ago)[-1]
        text = "".join(cell.text for cell in here)
        assert " lines" in text
        assert "▴" in text
        assert len(text) <= 118
        column = counted.column(NOW_MS - ms_ago)
        assert column is not None
        assert text.index("▴") == 118 - 20 - len(counted.every) + column


def pane(app: FleetApp) -> LogsPane:
    return app.screen.query_one(LogsPane)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("mode", ["unicode", "ascii", "no-color"])
async def test_i_shows_it_and_hides_it(size: tuple[int, int], mode: str) -> None:
    feed = FakeFeed(lines=many())
    app = console(
        feed,
        glyphs=ASCII if mode == "ascii" else UNICODE,
        theme="auto" if mode == "no-color" else "fleet-dark",
        env={"TERM": "xterm-256color", "NO_COLOR": "1"} if mode == "no-color" else None,
    )
    async with running(app, size) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: pane(app).lines.line_count > 0)
        before = text_of(app)
        assert "a column" not in before
        await press(pilot, "i")
        await until(pilot, lambda: "2 000  most" in text_of(app))
        text = text_of(app)
        lines = text.splitlines()
        for word in ("all", "warn", "error"):
            assert any(each.lstrip("│| ").startswith(word) and "most" in each for each in lines)
        assert all(len(each) <= size[0] for each in lines)
        assert f"line {MINUTES * EACH_MINUTE}" in text, "the newest line stays in view"
        if mode == "ascii":
            assert text.isascii()
        await press(pilot, "i")
        assert "a column" not in text_of(app)
        assert pane(app).lines.is_following


async def test_it_reads_the_whole_time_window() -> None:
    app = console(FakeFeed(lines=many()))
    async with running(app) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: pane(app).lines.line_count == 2_000)
        app.window_ms = 3_600_000
        await press(pilot, "i")
        await until(pilot, lambda: pane(app).lines.line_count >= 3_600)
        await press(pilot, "i", "4")
        assert not pane(app).has_histogram


async def test_it_counts_what_the_filter_shows_and_follows_the_cursor() -> None:
    feed = FakeFeed(lines=many())
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "4", "i")
        await until(pilot, lambda: "a column" in text_of(app))
        await press(pilot, "slash", *"level:error", "enter")
        await until(pilot, lambda: " 6  most 1" in text_of(app))
        await press(pilot, "k")
        await until(pilot, lambda: "1 line, 1 error" in text_of(app))
        await press(pilot, "G", "escape")
        feed.say(line(0, Level.ERROR, 99_999))
        await until(pilot, lambda: " 7  most" in text_of(app))


async def test_the_cursor_stays_in_view_when_it_takes_room() -> None:
    app = console(FakeFeed(lines=many()))
    async with running(app, (80, 24)) as pilot:
        await press(pilot, "4")
        await until(pilot, lambda: pane(app).lines.line_count > 0)
        await press(pilot, "g", *"jjjjjjjjjjjjjjjjj")
        current = pane(app).lines.current
        assert isinstance(current, LogLine)
        await press(pilot, "i")
        await until(pilot, lambda: "a column" in text_of(app))
        assert current.text.raw in text_of(app)


async def test_a_click_on_a_column_goes_to_its_first_line() -> None:
    app = console(FakeFeed(lines=many()))
    async with running(app) as pilot:
        await press(pilot, "4", "i")
        await until(pilot, lambda: "a column" in text_of(app))
        chart = app.screen.query_one(LogHistogram)
        await pilot.click(chart, offset=(chart.size.width - 20 - 3, 1))
        await until(pilot, lambda: pane(app).lines.current is not None)
        assert "▴" in text_of(app)
        await pilot.click(chart, offset=(1, 1))
        assert "▴" in text_of(app), "the words at the left are no column"


async def test_a_tasks_lines_end_with_the_last_of_them() -> None:
    app = console(FakeFeed())
    async with running(app) as pilot:
        app.go(Place("logs", task_id(48_170)))
        await until(pilot, lambda: "Logs - t-48170" in text_of(app))
        await until(pilot, lambda: pane(app).lines.line_count > 0)
        await press(pilot, "i")
        await until(pilot, lambda: "1s a column" in text_of(app))


async def test_without_lines_it_says_so() -> None:
    app = console(FakeFeed(lines=[line(0, Level.INFO, 1)]))
    async with running(app) as pilot:
        await press(pilot, "4", "slash", *"nowhere", "enter", "i")
        await until(pilot, lambda: "No lines to count" in text_of(app))


async def test_why_is_offered_elsewhere_and_the_palette_says_where() -> None:
    app = console(FakeFeed())
    async with running(app) as pilot:
        await press(pilot, "4", "k")
        assert "i histogram" in text_of(app)
        assert "i why" not in text_of(app)
        await press(pilot, "ctrl+p", *"explain")
        assert "here its key counts log lines" in text_of(app)
        await press(pilot, "escape", "5")
        assert "i why" in text_of(app)
