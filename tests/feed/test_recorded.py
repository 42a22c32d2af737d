"""Playing a ledger back: at every instant the fleet is what its events add up to."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.config.load import load_fleet
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.logs import Level, LogGap, LogLine, LogQuery
from fleet_tui.feed.feed import Link, Mode
from fleet_tui.feed.marks import mark_of
from fleet_tui.feed.recorded import PAGE_LINES, SPEEDS, RecordedFeed
from fleet_tui.journal.errors import JournalError, JournalMissing
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.sim.demo.process import write_history
from tests.support import surroundings

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def ledger() -> Iterator[Path]:
    """Three minutes of a fleet's past. Nothing here writes to it."""
    base = surroundings.short_dir()
    directory = base / "past"
    fleet = load_fleet(sample_fleet("demo"), {}).spec
    asyncio.run(write_history(directory, fleet, seed=3, minutes=3))
    yield directory
    surroundings.remove(base)


@pytest.fixture(scope="module")
def events(ledger: Path) -> list[Recorded]:
    reader = JournalReader(ledger)
    try:
        return reader.read(Seq(0), 100_000)
    finally:
        reader.close()


@asynccontextmanager
async def review(
    ledger: Path, *, since_ms: int | None = None, until_ms: int | None = None
) -> AsyncIterator[RecordedFeed]:
    feed = RecordedFeed(ledger, since_ms=since_ms, until_ms=until_ms)
    await feed.open()
    try:
        yield feed
    finally:
        await feed.close()


def state_at(events: list[Recorded], at_ms: int) -> FleetState:
    return fold(EMPTY_STATE, [r for r in events if r.at_ms <= at_ms])


async def test_two_moments_are_what_their_events_add_up_to(
    ledger: Path, events: list[Recorded]
) -> None:
    first_ms, last_ms = events[0].at_ms, events[-1].at_ms
    middle_ms = (first_ms + last_ms) // 2
    async with review(ledger) as feed:
        moments = await feed.moments(middle_ms, last_ms)
        assert (moments.before_ms, moments.after_ms) == (middle_ms, last_ms)
        assert moments.before == state_at(events, middle_ms)
        assert moments.after == state_at(events, last_ms)
        assert await feed.moments(last_ms, middle_ms) == moments


async def test_neither_moment_is_outside_the_session_nor_later_than_the_cursor(
    ledger: Path, events: list[Recorded]
) -> None:
    first_ms, last_ms = events[0].at_ms, events[-1].at_ms
    begin_ms, middle_ms = first_ms + 10_000, (first_ms + last_ms) // 2
    async with review(ledger, since_ms=begin_ms) as feed:
        await feed.seek(middle_ms)
        moments = await feed.moments(0, last_ms)
        assert (moments.before_ms, moments.after_ms) == (begin_ms, middle_ms)
        assert moments.before == state_at(events, begin_ms)
        assert moments.after == feed.view().state


async def until_paused(feed: RecordedFeed) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while feed.playing:
            await feed.changed()


async def test_a_recording_that_does_not_open_leaves_nothing_open(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> NoReturn:
        raise JournalError("the disk reports errors")

    monkeypatch.setattr("fleet_tui.feed.recorded.mark_of", broken)
    before = len(os.listdir("/dev/fd"))
    feed = RecordedFeed(ledger)
    with pytest.raises(JournalError, match="the disk reports errors"):
        await feed.open()
    assert len(os.listdir("/dev/fd")) == before
    await feed.close()  # once more does no harm


async def test_it_opens_at_its_end_with_the_state_the_engine_had(
    ledger: Path, events: list[Recorded]
) -> None:
    reader = JournalReader(ledger)
    async with review(ledger) as feed:
        view = feed.view()
        assert view.state == reader.load() == fold(EMPTY_STATE, events)
        assert (view.mode, view.link) == (Mode.REVIEW, Link.NONE)
        assert view.now_ms == feed.end_ms == events[-1].at_ms
        assert feed.start_ms == events[0].at_ms
        assert set(view.probes) == set(view.state.agents)
        assert len(view.samples) > 20
    reader.close()


async def test_at_any_instant_it_shows_what_the_events_add_up_to(
    ledger: Path, events: list[Recorded]
) -> None:
    async with review(ledger) as feed:
        span = feed.end_ms - feed.start_ms
        # There and back again, near and far: forward folds, backward starts from before.
        for share in (0, 10, 11, 50, 90, 100, 60, 59, 3, 100, 0, 1):
            at_ms = feed.start_ms + span * share // 100
            await feed.seek(at_ms)
            view = feed.view()
            assert view.now_ms == at_ms
            assert view.state == state_at(events, at_ms)
            assert all(look.observed_at_ms <= at_ms for look in view.probes.values())
            assert all(sample.at_ms <= at_ms for sample in view.samples)


async def test_going_back_and_forth_ends_where_going_forth_alone_does(ledger: Path) -> None:
    async with review(ledger) as feed:
        end = feed.view()
        await feed.seek(feed.start_ms)
        await feed.seek((feed.start_ms + feed.end_ms) // 2)
        middle = feed.view()
        await feed.seek(feed.end_ms)
        again = feed.view()
        assert (again.state, again.probes, again.samples) == (end.state, end.probes, end.samples)
        await feed.seek(middle.now_ms)
        assert feed.view().state == middle.state


async def test_an_instant_outside_is_the_nearest_inside(ledger: Path) -> None:
    async with review(ledger) as feed:
        await feed.seek(0)
        assert feed.view().now_ms == feed.start_ms
        await feed.seek(2**50)
        assert feed.view().now_ms == feed.end_ms


async def test_steps_are_events_and_pause(ledger: Path, events: list[Recorded]) -> None:
    async with review(ledger) as feed:
        await feed.seek(feed.start_ms)
        feed.play()
        start = feed.view().state.seq
        for n in range(1, 40):
            await feed.step(1)
            assert feed.view().state == fold(EMPTY_STATE, events[: start + n])
        assert not feed.playing
        await feed.step(-7)
        assert feed.view().state == fold(EMPTY_STATE, events[: start + 32])
        await feed.step(-100_000)
        assert feed.view().state.seq == start
        await feed.step(100_000)
        assert feed.view().state.seq == events[-1].seq


async def test_marks_are_visited_in_order_both_ways(ledger: Path, events: list[Recorded]) -> None:
    wanted = [r.seq for r in events if mark_of(r.event) is not None]
    async with review(ledger) as feed:
        assert [at for at, _ in feed.marks()] == [events[s - 1].at_ms for s in wanted]
        await feed.seek(feed.start_ms)
        here = feed.view().state.seq
        visited = []
        while await feed.next_mark():
            visited.append(feed.view().state.seq)
        assert visited == [s for s in wanted if s > here]
        assert len(visited) > 2
        back = []
        while await feed.next_mark(backward=True):
            back.append(feed.view().state.seq)
        assert back == wanted[:-1][::-1]
        assert not feed.playing


async def test_it_plays_to_its_end_and_pauses_and_plays_again(ledger: Path) -> None:
    async with review(ledger) as feed:
        await feed.seek(feed.end_ms - 20_000)
        feed.set_speed(256)
        seen = [feed.view().now_ms]
        feed.play()
        async with asyncio.timeout(DEADLINE_S):
            while feed.playing:
                await feed.changed()
                seen.append(feed.view().now_ms)
        assert seen == sorted(seen)
        assert seen[-1] == feed.end_ms
        feed.play()
        assert feed.view().now_ms == feed.start_ms
        assert feed.playing
        feed.pause()
        await until_paused(feed)


async def test_paused_time_stands_still(ledger: Path) -> None:
    async with review(ledger) as feed:
        await feed.seek(feed.start_ms)
        feed.set_speed(256)
        feed.play()
        feed.pause()
        await feed.changed()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await feed.changed()
        assert feed.view().now_ms == feed.start_ms


@pytest.mark.parametrize(("asked", "got"), [(0.0, SPEEDS[0]), (4, 4), (10_000, SPEEDS[1])])
async def test_speeds_have_limits(ledger: Path, asked: float, got: float) -> None:
    async with review(ledger) as feed:
        feed.set_speed(asked)
        assert feed.speed == got


async def test_lines_are_never_later_than_the_cursor_and_none_comes_twice(ledger: Path) -> None:
    async with review(ledger) as feed:
        await feed.seek(feed.start_ms)
        feed.take_lines()
        ids: list[int] = []
        step_ms = (feed.end_ms - feed.start_ms) // 30
        for n in range(1, 30):
            await feed.seek(max(feed.view().now_ms, feed.start_ms + n * step_ms))
            if n % 5 == 0:
                await feed.next_mark()
            for line in feed.take_lines():
                assert isinstance(line, LogLine)
                assert line.received_at_ms <= feed.view().now_ms
                ids.append(line.line_id)
            stored = await feed.logs(LogQuery(limit=5_000))
            assert all(line.received_at_ms <= feed.view().now_ms for line in stored)
        assert ids == sorted(set(ids))
        assert len(ids) > 200


async def test_after_going_back_the_newest_lines_before_the_cursor_come(ledger: Path) -> None:
    async with review(ledger) as feed:
        feed.take_lines()
        middle_ms = (feed.start_ms + feed.end_ms) // 2
        await feed.seek(middle_ms)
        lines = feed.take_lines()
        assert lines
        assert all(line.received_at_ms <= middle_ms for line in lines)
        assert [line.line_id for line in lines][-1] == (await feed.logs(LogQuery(limit=1)))[
            0
        ].line_id


async def test_the_probes_of_an_agent_end_with_the_newest_at_the_cursor(ledger: Path) -> None:
    async with review(ledger) as feed:
        await feed.seek((feed.start_ms + feed.end_ms) // 2)
        for agent, newest in feed.view().probes.items():
            probes = await feed.series(agent, 5)
            assert probes[-1] == newest
            assert len(probes) <= 5
            assert {probe.agent for probe in probes} == {agent}


async def test_a_step_back_within_an_instant_repeats_no_line(
    ledger: Path, events: list[Recorded]
) -> None:
    twin = next(b for a, b in pairwise(events[50:]) if a.at_ms == b.at_ms)
    async with review(ledger) as feed:
        await feed.seek(twin.at_ms)
        while feed.view().state.seq > twin.seq:
            await feed.step(-1)
        feed.take_lines()
        await feed.step(-1)
        assert feed.take_lines() == []


async def test_a_far_jump_reads_the_newest_lines_and_counts_the_rest(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_tui.feed.recorded.PAGE_LINES", 50)
    assert PAGE_LINES > 50
    async with review(ledger) as feed:
        await feed.seek(feed.start_ms)
        before = [line.line_id for line in feed.take_lines()][-1]
        await feed.seek(feed.end_ms)
        gap, *lines = feed.take_lines()
        assert isinstance(gap, LogGap)
        assert gap.lines is not None
        assert len(lines) == 50
        assert before + gap.lines + len(lines) == lines[-1].line_id


async def test_history_and_stories_end_at_the_cursor(ledger: Path, events: list[Recorded]) -> None:
    async with review(ledger) as feed:
        middle_ms = (feed.start_ms + feed.end_ms) // 2
        await feed.seek(middle_ms)
        past = [r for r in events if r.at_ms <= middle_ms]
        assert list(await feed.history(100_000)) == past
        assert list(await feed.history(3)) == past[-3:]
        assert list(await feed.history(3, Seq(8))) == past[5:8]
        assert list(await feed.history(3, Seq(past[-1].seq + 2))) == past[-3:]
        task = next(t for t in feed.view().state.closed_tasks)
        await feed.seek(feed.view().state.closed_tasks[task].submitted_at_ms)
        story = await feed.task_events(task)
        assert story
        assert all(r.at_ms <= feed.view().now_ms for r in story)


async def test_a_task_of_any_age_is_told_as_it_stood_at_the_cursor(
    ledger: Path, events: list[Recorded]
) -> None:
    async with review(ledger) as feed:
        whole = feed.view().state
        middle_ms = (feed.start_ms + feed.end_ms) // 2
        for at_ms in (feed.end_ms, middle_ms, feed.start_ms):
            await feed.seek(at_ms)
            state = feed.view().state
            for task in [*whole.tasks()][::40]:
                told = await feed.retell(task.label)
                assert (told.task if told is not None else None) == state.task(task.id)


async def test_stored_lines_are_found_by_what_they_say(ledger: Path) -> None:
    async with review(ledger) as feed:
        found = await feed.logs(LogQuery(words="submitted", level=Level.INFO, limit=20))
        assert len(found) == 20
        assert all("submitted" in line.text.raw for line in found)


async def test_nothing_can_be_done_in_a_recording(ledger: Path, events: list[Recorded]) -> None:
    async with review(ledger) as feed:
        assert not feed.can_act
        reply = await feed.send(StopEngine())
        assert isinstance(reply, Refused)
        assert reply.code == "review"
    reader = JournalReader(ledger)
    assert reader.last_seq() == events[-1].seq
    reader.close()


async def test_the_curve_shows_the_deepest_queue_of_each_stretch(ledger: Path) -> None:
    async with review(ledger) as feed:
        deepest = max(sample.depth for sample in feed.view().samples)
        for buckets in (1, 7, 60):
            curve = feed.depth_curve(buckets)
            assert len(curve) == buckets
            assert max(curve) == deepest > 0


async def test_one_session_of_many_cannot_be_left(ledger: Path, events: list[Recorded]) -> None:
    third = len(events) // 3
    since_ms, until_ms = events[third].at_ms, events[2 * third].at_ms
    async with review(ledger, since_ms=since_ms, until_ms=until_ms) as feed:
        assert (feed.start_ms, feed.end_ms) == (since_ms, until_ms)
        assert feed.view().state == state_at(events, until_ms)
        await feed.step(10_000)
        assert feed.view().state == state_at(events, until_ms)
        assert all(since_ms <= at <= until_ms for at, _ in feed.marks())
        await feed.step(-10_000)
        assert feed.view().now_ms == since_ms
        assert feed.view().state == state_at(events, since_ms)


async def test_closing_ends_who_waits(ledger: Path) -> None:
    feed = RecordedFeed(ledger)
    await feed.open()
    await feed.changed()
    waiting = asyncio.create_task(feed.changed())
    await asyncio.sleep(0)
    await feed.close()
    async with asyncio.timeout(DEADLINE_S):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await feed.changed()


async def test_a_directory_without_a_ledger_is_said_to_be_one(short_dir: Path) -> None:
    with pytest.raises(JournalMissing):
        await RecordedFeed(short_dir).open()


def copied(ledger: Path, place: Path) -> Path:
    shutil.copytree(ledger, place)
    place.chmod(0o700)
    return place


def replaced(directory: Path, ledger: Path) -> None:
    directory.rename(directory.with_name("aside"))
    copied(ledger, directory)


def cut_off(directory: Path, _: Path) -> None:
    for path in directory.glob("events-*"):
        os.truncate(path, 100)


GONE = {
    "deleted": lambda directory, _: shutil.rmtree(directory),
    "moved": lambda directory, _: directory.rename(directory.with_name("aside")),
    "replaced": replaced,
    "without its events": lambda directory, _: [p.unlink() for p in directory.glob("events-*")],
    "cut off": cut_off,
}


@pytest.mark.parametrize("how", GONE)
async def test_what_goes_while_it_is_looked_at_is_told_once_and_stays_on_screen(
    ledger: Path, how: str
) -> None:
    base = surroundings.short_dir()
    directory = copied(ledger, base / "past")
    async with review(directory) as feed:
        await feed.changed()
        before = feed.view()
        task = next(iter(before.state.tasks())).id
        GONE[how](directory, ledger)
        await feed.seek(feed.start_ms)
        with pytest.raises(JournalError, match=r"deleted, moved or replaced|can no longer be read"):
            await feed.changed()
        feed.play()
        assert not feed.playing
        await feed.step(3)
        await feed.step(-3)
        await feed.next_mark(backward=True)
        assert not await feed.history(100)
        assert not await feed.logs(LogQuery(limit=10))
        assert await feed.retell("t-1") is None
        assert not await feed.task_events(task)
        assert set(feed.depth_curve(8)) == {0}
        await feed.changed()
        assert feed.view() == before
    surroundings.remove(base)


async def test_what_goes_while_it_plays_stops_it(ledger: Path) -> None:
    base = surroundings.short_dir()
    directory = copied(ledger, base / "past")
    async with review(directory) as feed:
        await feed.seek(feed.start_ms)
        feed.play()
        await feed.changed()
        shutil.rmtree(directory)
        with pytest.raises(JournalMissing):
            await until_paused(feed)
        assert not feed.playing
    surroundings.remove(base)
