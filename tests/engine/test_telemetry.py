"""Beside the ledger: looks, pulses and lines are handed over in time, and whoever looks is told."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from fleet_tui.core.agents.vitals import FleetSample, ProbeResult, VitalsReading
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.bell import Bell
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.telemetry import Telemetry

DEADLINE_S = 30.0
A1, A2 = AgentName("a1"), AgentName("a2")


class Lines:
    """A store that keeps lines in a list."""

    def __init__(self) -> None:
        self.kept: list[LogLine | LogGap] = []

    @property
    def newest_id(self) -> int:
        return len(self.kept)

    def write(self, lines: Sequence[LogLine | LogGap]) -> int:
        self.kept.extend(lines)
        return 0


class Samples:
    """A store that keeps samples in a list."""

    def __init__(self) -> None:
        self.kept: list[ProbeResult | FleetSample] = []

    @property
    def newest_id(self) -> int:
        return len(self.kept)

    def add(self, samples: Iterable[ProbeResult | FleetSample]) -> None:
        self.kept.extend(samples)

    def probes(self) -> list[ProbeResult]:
        return [s for s in self.kept if not isinstance(s, FleetSample)]


class Rig:
    def __init__(self) -> None:
        self.lines, self.samples = Lines(), Samples()
        self.touched = asyncio.Event()
        self.telemetry = Telemetry(
            self.lines, self.samples, WallClock(), lambda: EMPTY_STATE, self.touched.set
        )


@asynccontextmanager
async def running() -> AsyncIterator[Rig]:
    rig = Rig()
    task = asyncio.create_task(rig.telemetry.run())
    try:
        yield rig
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet_tui.engine.telemetry.CHECK_S", 0.005)
    monkeypatch.setattr("fleet_tui.engine.telemetry.PROBES_EVERY_S", 0.01)
    monkeypatch.setattr("fleet_tui.engine.telemetry.SAMPLE_EVERY_S", 0.02)


def look(agent: AgentName, at_ms: int) -> VitalsReading:
    return VitalsReading(agent=agent, observed_at_ms=at_ms, latency_ms=1.0)


async def until_touched(rig: Rig) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await rig.touched.wait()
    rig.touched.clear()


async def test_the_fleets_pulse_is_taken_again_and_again() -> None:
    async with running() as rig:
        async with asyncio.timeout(DEADLINE_S):
            while len([s for s in rig.samples.kept if isinstance(s, FleetSample)]) < 3:
                await rig.touched.wait()
                rig.touched.clear()


async def test_of_looks_that_wait_only_the_newest_is_kept() -> None:
    rig = Rig()
    for at_ms in range(5):
        rig.telemetry.on_probe(look(A1, at_ms))
    rig.telemetry.on_probe(look(A2, 9))
    assert rig.samples.kept == []
    rig.telemetry.hand_over()
    assert rig.samples.probes() == [look(A1, 4), look(A2, 9)]
    rig.telemetry.hand_over()
    assert len(rig.samples.probes()) == 2


async def test_a_look_reaches_its_store_and_who_looks_is_told() -> None:
    async with running() as rig:
        rig.telemetry.on_probe(look(A1, 1))
        async with asyncio.timeout(DEADLINE_S):
            while look(A1, 1) not in rig.samples.kept:
                await until_touched(rig)
        assert rig.telemetry.newest_sample == rig.samples.newest_id


async def test_a_line_is_stored_at_once_and_who_looks_is_told() -> None:
    async with running() as rig:
        await until_touched(rig)
        line = LogLine(received_at_ms=1, source=A1, level=Level.INFO, text=Untrusted("hello"))
        rig.telemetry.on_log_lines([line])
        assert rig.lines.kept == [line]
        assert rig.telemetry.newest_line == 1
        await until_touched(rig)


async def test_a_bell_rings_once_for_all_that_happened_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleet_tui.engine.bell.PAUSE_S", 0.01)
    rung: list[int] = []
    heard = asyncio.Event()

    def ring() -> None:
        rung.append(1)
        heard.set()

    bell = Bell(ring)
    ringing = asyncio.create_task(bell.run())
    for _ in range(100):
        bell.touch()
    async with asyncio.timeout(DEADLINE_S):
        await heard.wait()
    assert len(rung) == 1
    heard.clear()
    bell.touch()
    async with asyncio.timeout(DEADLINE_S):
        await heard.wait()
    assert len(rung) == 2
    ringing.cancel()
    with suppress(asyncio.CancelledError):
        await ringing
