"""An engine that can do less says so in the first line of every screen, at every width."""

import msgspec
import pytest

from fleet_tui.core.ids import Seq
from fleet_tui.core.modes import EngineMode, ModeNow
from fleet_tui.core.tasks.model import AttemptPhase
from fleet_tui.feed.feed import Mode
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, task_id


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
@pytest.mark.parametrize("mode", [EngineMode.READ_ONLY, EngineMode.RECOVERY, EngineMode.FROZEN])
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


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_screen_says_why_since_when_and_the_way_out(size: tuple[int, int]) -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, size) as pilot:
        since = NOW_MS - 61_400
        feed.push(
            engine=ModeNow(mode=EngineMode.FROZEN, reason="migration", since_ms=since, by="ops")
        )
        await until(pilot, lambda: "FROZEN since" in text_of(app))
        for key in ("1", "3", "7", "u", "T"):
            text = " ".join((await press(pilot, key)).split())
            assert "FROZEN since 12:03:30 by ops: migration. No work is started;" in text
            assert "J lets it start work" in text
        await press(pilot, "escape")
        feed.push(engine=ModeNow(mode=EngineMode.RECOVERY, reason="damaged", trusted_seq=Seq(41)))
        await until(pilot, lambda: "Trusted up to event 41." in " ".join(text_of(app).split()))
        assert "`fleet-tui verify` shows the damage" in " ".join(text_of(app).split())
        feed.push(engine=ModeNow())
        await until(pilot, lambda: "RECOVERY" not in text_of(app))


async def test_in_a_recording_the_way_out_is_no_longer_offered() -> None:
    feed = FakeFeed()
    feed.push(mode=Mode.REVIEW, engine=ModeNow(mode=EngineMode.FROZEN, reason="migration"))
    app = console(feed)
    async with running(app) as pilot:
        await until(pilot, lambda: "FROZEN: migration." in " ".join(text_of(app).split()))
        assert "lets it start work" not in text_of(app)


@pytest.mark.parametrize("mode", [EngineMode.READ_ONLY, EngineMode.RECOVERY])
async def test_nothing_acts_while_nothing_is_taken(mode: EngineMode) -> None:
    feed = FakeFeed()
    feed.push(engine=ModeNow(mode=mode, reason="full"))
    app = console(feed)
    async with running(app) as pilot:
        foot = text_of(app).splitlines()[-1]
        assert "C cordon" not in foot
        assert "T submit" not in foot
        for key in ("C", "T", "Q", "J", "m"):
            await press(pilot, key)
        assert not feed.sent
        told = [notice.text for notice in app.notices]
        assert f"cordon the agent: the engine is in {mode.label}: {mode.meaning}" in told
        assert "add a note: this needs an engine that accepts commands" in told


async def test_a_held_engine_takes_submits() -> None:
    feed = FakeFeed()
    held = ModeNow(mode=EngineMode.FROZEN, reason="why")
    feed.change_state(engine=msgspec.structs.replace(feed.view().state.engine, mode=held))
    feed.push(engine=held)
    app = console(feed)
    async with running(app) as pilot:
        assert "J thaw" in text_of(app).splitlines()[-1]
        assert "What should the agent do?" in await press(pilot, "T")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_how_many_are_unknown_is_always_on_the_main_screen(size: tuple[int, int]) -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, size) as pilot:
        assert "0 unknown" in text_of(app)
        tasks = dict(feed.view().state.open_tasks)
        task = tasks[task_id(48_170)]
        lost = msgspec.structs.replace(task.attempts[0], phase=AttemptPhase.UNKNOWN)
        tasks[task.id] = msgspec.structs.replace(task, attempts=(lost,))
        feed.change_state(open_tasks=tasks)
        await until(pilot, lambda: text_of(app).count("1 unknown") == 2, "header and queue")
        assert "1 unknown" in (await press(pilot, "4")).splitlines()[0]
