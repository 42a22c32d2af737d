"""Running the whole console over a feed in memory, and looking at it when it has come to rest."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.export import screen_lines
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.glyphs import UNICODE, Glyphs
from fleet_tui.console.views.table import TablePane
from fleet_tui.console.widgets.log_view import LogView
from fleet_tui.feed.feed import Feed, Timeline
from tests.support.fake_feed import FakeFeed

COLOURFUL = {"COLORTERM": "truecolor", "TERM": "xterm-256color"}
MAX_TURNS = 400
"""Turns of the loop to wait for a condition; a few seconds."""


def console(
    feed: Feed | None = None,
    *,
    theme: str = "fleet-dark",
    glyphs: Glyphs = UNICODE,
    banner: str | None = None,
    timeline: Timeline | None = None,
    env: dict[str, str] | None = None,
) -> FleetApp:
    """A console over the scene, the same everywhere."""
    return FleetApp(
        feed or FakeFeed(),
        theme=theme,
        glyphs=glyphs,
        banner=banner,
        timeline=timeline,
        env=COLOURFUL if env is None else env,
    )


async def until(pilot: Pilot[int], holds: Callable[[], bool], what: str = "") -> None:
    """Wait until a condition holds; fails with the screen when it never does."""
    for _ in range(MAX_TURNS):
        await pilot.pause()
        if holds():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"never came true {what}:\n" + text_of(pilot.app))


def at_rest(app: FleetApp) -> bool:
    """Whether the screen in view shows all there is."""
    screen = app.visible_screen
    return (
        isinstance(screen, FleetScreen)
        and screen.shown is app.view
        and screen.lines_seen == app.lines.total
        and app.lines.total > 0
        and not any(v._limiter.is_waiting or v.search.is_at_work for v in screen.query(LogView))
        and not any(pane.is_sifting for pane in screen.query(TablePane))
    )


def text_of(app: object) -> str:
    """What is on screen as text."""
    assert isinstance(app, FleetApp)
    return "\n".join(screen_lines(app))


@asynccontextmanager
async def running(app: FleetApp, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[int]]:
    """The console painted and at rest."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: at_rest(app), "at rest")
        await pilot.pause()
        yield pilot


async def press(pilot: Pilot[int], *keys: str) -> str:
    """Press keys one after the other; the screen after the last."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    return text_of(pilot.app)
