"""An engine that can do less says so in the first line of every screen, at every width."""

import pytest

from fleet_tui.core.modes import EngineMode, ModeNow
from tests.support.console import console, running, text_of, until
from tests.support.fake_feed import FakeFeed


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
@pytest.mark.parametrize("mode", [EngineMode.READ_ONLY, EngineMode.RECOVERY, EngineMode.HOLD])
async def test_the_header_names_the_mode(size: tuple[int, int], mode: EngineMode) -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, size) as pilot:
        await until(pilot, lambda: "engine" not in text_of(app).splitlines()[0])
        now = ModeNow(mode=mode, reason="[b]why\x1b[31m")
        feed.push(engine=now)
        await until(pilot, lambda: f"engine {mode.label}" in text_of(app).splitlines()[0])
        assert "[b]why" in text_of(app).splitlines()[0]
        assert "\x1b" not in text_of(app)
        feed.push(engine=ModeNow())
        await until(pilot, lambda: "engine" not in text_of(app).splitlines()[0])
