"""The first screen at every size: nothing that carries meaning is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.text.glyphs import ASCII
from fleet_tui.console.views.agents.pane import HealthPane
from fleet_tui.console.views.alerts.pane import AlertsPane
from fleet_tui.console.views.overview.screen import heights
from fleet_tui.console.widgets.fleet_table import FleetTable
from fleet_tui.console.widgets.spark import curve
from fleet_tui.core.agents.model import Health
from fleet_tui.feed.feed import Mode
from tests.support.console import at_rest, console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed, quiet_feed, reconnecting
from tests.support.scene import NOW_MS, agent_name
from tests.support.scene_story import story
from tests.support.scene_telemetry import seeded_samples

SIZES = [(80, 24), (120, 40), (200, 60), (60, 15)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_words_on_the_screen(size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    app = console()
    async with running(app, size) as pilot:
        assert text_of(pilot.app) == snapshot


@pytest.mark.snapshot
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_picture_of_the_screen(size: tuple[int, int], snap_compare: object) -> None:
    async def rest(pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, FleetApp)
        await until(pilot, lambda: at_rest(app))

    assert callable(snap_compare)
    assert snap_compare(console(), terminal_size=size, run_before=rest)


async def test_80x24_has_everything_that_matters() -> None:
    async with running(console(), (80, 24)) as pilot:
        lines = text_of(pilot.app).splitlines()
    text = "\n".join(lines)
    for word in ("prod", "3 alerts", "LIVE", "unreachable", "13 more - all up", "Queue 128"):
        assert word in text
    for word in ("P0 2", "Routing decisions", "held", "Logs - all agents", "ERROR", "? help"):
        assert word in text
    assert lines[-1].rstrip().endswith("q back")
    assert all(len(line) <= 80 for line in lines)


async def test_too_small_a_terminal_shows_the_counts() -> None:
    async with running(console(), (59, 20)) as pilot:
        text = text_of(pilot.app)
        assert "20 agents" in text
        assert "128 waiting, 44 running" in text
        assert "Fleet health" not in text
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: "Fleet health" in text_of(pilot.app))


# --- who gets how many lines ---


@given(st.integers(13, 200), st.integers(0, 500), st.booleans())
def test_every_line_is_given_to_somebody(room: int, agents: int, boxed: bool) -> None:
    shared = heights(room, agents, boxed=boxed)
    least = 7 + 4 + 5 if boxed else 5 + 3 + 4
    assert sum(shared) == max(room, least)
    assert shared.top >= 5
    assert shared.routing >= 3
    assert shared.logs >= 4


def test_logs_shrink_before_routing_and_routing_before_health() -> None:
    roomy = heights(21, 20, boxed=False)
    assert roomy == (9, 5, 7)
    assert heights(18, 20, boxed=False) == (9, 5, 4)
    assert heights(16, 20, boxed=False) == (9, 3, 4)
    assert heights(14, 20, boxed=False) == (7, 3, 4)
    assert heights(37, 20, boxed=True) == (19, 8, 10)


# --- the healthy tail ---


async def test_going_down_to_the_tail_opens_it_and_the_top_closes_it() -> None:
    app = console()
    async with running(app) as pilot:
        table = app.screen.query_one("#health FleetTable", FleetTable)
        assert table.row_count == 15
        assert "5 more - all up" in text_of(app)
        await press(pilot, *["j"] * 14)
        await until(pilot, lambda: table.row_count == 20)
        assert "more - all up" not in await press(pilot, "end")
        await press(pilot, "home")
        await until(pilot, lambda: table.row_count == 15)


async def test_a_tail_that_is_not_well_says_so() -> None:
    feed = FakeFeed()
    async with running(console(feed)) as pilot:
        for number in range(1, 18):
            feed.change_agent(agent_name(number), health=Health.DOWN)
        await until(pilot, lambda: "✗17" in text_of(pilot.app))
        assert "5 more - 2 down, 1 draining, 2 up" in text_of(pilot.app)


# --- states ---


async def test_an_empty_fleet_tells_the_next_key() -> None:
    app = console(quiet_feed(now_ms=NOW_MS))
    wanted = ("no fleet", "No agents yet", "The queue is empty. T submits", "No open alerts",
              "No routing decisions yet", "No log lines yet")  # fmt: skip
    async with app.run_test(size=(120, 40)) as pilot:
        # Each pane is filled on its own, and the log when its first page is read.
        await until(pilot, lambda: all(words in text_of(app) for words in wanted))


async def test_a_lost_engine_is_told_with_the_moment_of_the_data() -> None:
    feed = FakeFeed()
    async with running(console(feed)) as pilot:
        reconnecting(feed)
        await until(pilot, lambda: "RECONNECTING" in text_of(pilot.app))
        assert "as of 12:04:31 - the engine does not answer" in text_of(pilot.app)
        assert "agent-01" in text_of(pilot.app), "what is known stays on screen"


@pytest.mark.parametrize(
    ("mode", "can_act", "word"),
    [
        (Mode.LIVE, True, "LIVE"),
        (Mode.LIVE, False, "READ-ONLY"),
        (Mode.DEMO, True, "DEMO"),
        (Mode.READ_ONLY, False, "READ-ONLY"),
        (Mode.REVIEW, False, "REVIEW"),
    ],
)
async def test_the_mode_is_a_word(mode: Mode, can_act: bool, word: str) -> None:
    async with running(console(FakeFeed(mode=mode, can_act=can_act))) as pilot:
        first, *_, last = text_of(pilot.app).splitlines()
    assert word in first
    assert ("T submit" in last) is can_act


async def test_ascii_glyphs_reach_every_pane() -> None:
    async with running(console(glyphs=ASCII)) as pilot:
        text = text_of(pilot.app)
    strange = {char for char in text if not char.isascii()}
    assert strange <= {"·", "…"}


async def test_no_color_writes_no_colour() -> None:
    app = console(env={"NO_COLOR": "1", "TERM": "xterm-256color"}, theme="auto")
    async with running(app):
        styles = {
            segment.style
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None
        }
        assert app.theme == "fleet-mono"
    assert all(s.color is None or s.color.is_default for s in styles)


async def test_sixteen_colours_take_the_terminals_own() -> None:
    app = console(env={"TERM": "xterm"}, theme="auto")
    async with running(app):
        assert app.theme == "fleet-ansi"


async def test_a_state_is_told_without_colour_by_sign_and_word() -> None:
    async with running(console(glyphs=ASCII)) as pilot:
        assert "x unreachable" in text_of(pilot.app)


# --- panes ---


async def test_tab_goes_round_and_zoom_shows_one_pane_alone() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "tab", "z")
        await until(pilot, lambda: "Fleet health" not in text_of(app))
        assert "Alerts - 3 open" in text_of(app)
        assert "Logs - all agents" not in text_of(app)
        await press(pilot, "escape")
        await until(pilot, lambda: "Fleet health" in text_of(app))
        await press(pilot, "shift+tab", "shift+tab")
        pane = app.screen.focused
        assert pane is not None
        assert any(widget.id == "logs" for widget in pane.ancestors)


async def test_alerts_are_selected_with_the_agents_they_are_about() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "tab")
        pane = app.screen.query_one("#alerts", AlertsPane)
        assert pane.selection().alerts == ("agent-down:agent-14",)
        assert pane.selection().agents == (agent_name(14),)


async def test_rows_stay_where_they_are_while_the_operator_moves() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        pane = app.screen.query_one("#health", HealthPane)
        await press(pilot, "j", "j", "j")
        before = pane.table.cursor_id
        feed.change_agent(agent_name(20), health=Health.DOWN)
        await until(pilot, lambda: "✗2" in text_of(app))
        assert pane.table.cursor_id == before


def test_the_curve_keeps_spikes_and_moves_only_when_a_column_closes() -> None:
    points = [(sample.at_ms, float(sample.depth)) for sample in seeded_samples()]
    drawn = curve(points, NOW_MS, 1_800_000, 38)
    assert len(drawn) == 38
    assert max(drawn) == 128
    step_ms = 1_800_000 // 38
    start = NOW_MS // step_ms * step_ms
    assert curve(points, start, 1_800_000, 38) == curve(points, start + 900, 1_800_000, 38)
    assert curve((), NOW_MS, 1_800_000, 5) == [0.0] * 5


async def test_a_loss_and_its_end_are_told_on_one_screen() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        for seen in story(feed):
            await until(pilot, lambda seen=seen: seen in text_of(app), seen)  # type: ignore[misc]  # bound early


@pytest.mark.parametrize("size", SIZES[:3], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_an_ascii_screen_is_ascii_to_the_last_sign(size: tuple[int, int]) -> None:
    app = console(glyphs=ASCII)
    async with running(app, size) as pilot:
        await until(pilot, lambda: at_rest(app))
        text = text_of(app)
    assert {char for char in text if not char.isascii()} == set()
