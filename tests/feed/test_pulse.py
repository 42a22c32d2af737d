"""The fleet's samples that a view has: the last hour whole, the day before it in steps."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.config.load import load_fleet
from fleet_tui.core.agents.vitals import FleetSample
from fleet_tui.feed.attached import AttachedFeed
from fleet_tui.feed.pulse import COARSE_MS, DAY_MS, FINE_MS, Pulse
from fleet_tui.feed.recorded import RecordedFeed
from fleet_tui.journal.telemetry.rolling import Bounds
from fleet_tui.journal.telemetry.samples import SampleReader, SampleWriter
from fleet_tui.sim.demo.process import write_history
from tests.support import surroundings

EVERY_MS = 20_000
SOME_FILES = Bounds(file_bytes=200_000, files=16, keep_ms=30 * DAY_MS)
"""So that a day is in several."""


async def write(directory: Path, until_ms: int, ms: int) -> None:
    """A sample every EVERY_MS for so long; the depth tells which."""
    writer = await SampleWriter.open(directory, SOME_FILES)
    for place, at_ms in enumerate(range(until_ms - ms, until_ms + 1, EVERY_MS)):
        writer.add([FleetSample(at_ms=at_ms, running=place)])
        if place % 1_000 == 0:
            await writer.flush()
    await writer.close()


@pytest.fixture(scope="module")
def past() -> Iterator[tuple[Path, int]]:
    """A ledger of three minutes with samples of thirty hours, and its end. Nothing here writes to
    it."""
    base = surroundings.short_dir()
    directory = base / "past"
    fleet = load_fleet(sample_fleet("demo"), {}).spec
    asyncio.run(write_history(directory, fleet, seed=3, minutes=3))
    end_ms = time.time_ns() // 1_000_000
    asyncio.run(write(directory, end_ms, 30 * 3_600_000))
    yield directory, end_ms
    surroundings.remove(base)


def test_the_last_hour_is_whole_and_the_day_in_steps(past: tuple[Path, int]) -> None:
    directory, end_ms = past
    with closing(SampleReader(directory)) as reader:
        found = Pulse().read(reader, end_ms)
    instants = [sample.at_ms for sample in found]
    assert instants == sorted(set(instants))
    assert DAY_MS - 2 * COARSE_MS <= end_ms - instants[0] <= DAY_MS
    fine = [at for at in instants if at > end_ms - FINE_MS]
    assert len(fine) >= FINE_MS // EVERY_MS
    steps = [b - a for a, b in pairwise(instants) if b <= end_ms - FINE_MS]
    assert max(steps) <= COARSE_MS + EVERY_MS


def test_what_is_read_on_is_what_is_read_anew(past: tuple[Path, int]) -> None:
    directory, end_ms = past
    with closing(SampleReader(directory)) as reader:
        pulse = Pulse()
        for back_ms in (7_300_000, 7_200_000, 6_000_000, 5_900_000, 0, 10_000_000, 9_999_000):
            at_ms = end_ms - back_ms
            assert list(pulse.read(reader, at_ms)) == list(Pulse().read(reader, at_ms)), back_ms
            assert pulse.samples[-1].at_ms <= at_ms


async def test_a_view_has_a_day_of_them_in_a_review(past: tuple[Path, int]) -> None:
    directory, _ = past
    feed = RecordedFeed(directory)
    await feed.open()
    try:
        view = feed.view()
        assert view.now_ms - view.samples[0].at_ms > DAY_MS - 2 * COARSE_MS
    finally:
        await feed.close()


async def test_a_view_has_a_day_of_them_while_the_fleet_lives(past: tuple[Path, int]) -> None:
    directory, end_ms = past
    feed = AttachedFeed(directory, by="ops", read_only=True, starting=True)
    await feed.open()
    try:
        assert end_ms - feed.view().samples[0].at_ms > DAY_MS - 2 * COARSE_MS
    finally:
        await feed.close()
