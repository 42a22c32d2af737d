"""The fleet file is followed: a sound change takes effect, an unsound one changes nothing and says
so once."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet_tui.config.load import load_fleet
from fleet_tui.core.agents.model import Health
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogLine, LogQuery
from fleet_tui.engine.reload import Fingerprint, FleetFileWatch
from fleet_tui.engine.run import RunningEngine
from fleet_tui.journal.telemetry.logs import LogReader

DEADLINE_S = 60.0
ONE, TWO = AgentName("one"), AgentName("two")
HEAD = (
    "version: 1\nfleet: lab\n"
    "defaults: {probe: {every: 200ms, timeout: 2s, down_after: 3, up_after: 1}}\nagents:\n"
)
AGENT = "  {}: {{kind: local, command: [cat], run_dir: {}}}\n"


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet_tui.engine.reload.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("fleet_tui.engine.reload.STILL_S", 0.02)


def write(file: Path, *agents: str, more: str = "") -> None:
    """Replace the file in one step, as editors do."""
    new = file.with_suffix(".new")
    runs = file.parent / "runs"  # engines of one epoch each: a shared one knows a newer
    new.write_text(HEAD + "".join(AGENT.format(name, runs) for name in agents) + more)
    os.replace(new, file)


class Followed:
    """An engine that follows its file."""

    def __init__(self, file: Path, running: RunningEngine, lines: LogReader) -> None:
        self.file = file
        self.running = running
        self._lines = lines

    async def until(self, holds: Callable[[FleetState], bool]) -> FleetState:
        async with asyncio.timeout(DEADLINE_S):
            while not holds(self.running.engine.state):
                await asyncio.sleep(0.01)
        return self.running.engine.state

    def said(self, words: str) -> list[LogLine]:
        return self._lines.query(LogQuery(words=words))

    async def until_said(self, words: str, times: int) -> list[LogLine]:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.said(words)) < times:
                await asyncio.sleep(0.01)
        return self.said(words)


@asynccontextmanager
async def following(base: Path, *agents: str) -> AsyncIterator[Followed]:
    file = base / "fleet.yaml"
    write(file, *agents)
    spec = load_fleet(file, {}).spec
    async with RunningEngine(spec, base / "state", file=file) as running:
        loop = asyncio.create_task(running.run())
        lines = LogReader(base / "state")
        try:
            yield Followed(file, running, lines)
        finally:
            running.stop("the test is over")
            await loop
            lines.close()


def up(name: AgentName) -> Callable[[FleetState], bool]:
    return lambda state: name in state.agents and state.agents[name].health is Health.UP


async def test_an_agent_that_is_added_is_watched_and_one_that_is_removed_retires(
    short_dir: Path,
) -> None:
    async with following(short_dir, "one") as fleet:
        await fleet.until(up(ONE))
        write(fleet.file, "one", "two")
        await fleet.until(up(TWO))
        write(fleet.file, "two")
        state = await fleet.until(lambda s: ONE not in s.fleet.agents)
        assert ONE not in state.agents or state.agents[ONE].health is Health.RETIRED
        assert state.agents[TWO].health is Health.UP


async def test_an_unsound_file_changes_nothing_and_is_told_once(short_dir: Path) -> None:
    async with following(short_dir, "one") as fleet:
        before = await fleet.until(up(ONE))
        write(fleet.file, "one", "two", more="pools: [broken\n")
        (line,) = await fleet.until_said("was rejected", 1)
        assert f"{fleet.file.name}:" in line.text.raw
        assert line.source is None
        # A sound file afterwards proves that looking went on and said nothing more.
        write(fleet.file, "two")
        state = await fleet.until(up(TWO))
        assert len(fleet.said("was rejected")) == 1
        assert state.fleet.digest != before.fleet.digest


async def test_every_new_unsound_version_is_told_also_one_made_during_the_start(
    short_dir: Path,
) -> None:
    async with following(short_dir, "one") as fleet:
        for times in (1, 2):
            write(fleet.file, "one", more="nonsense: true\n" * times)
            await fleet.until_said("was rejected", times)
        assert set(fleet.running.engine.state.fleet.agents) == {ONE}


async def test_a_file_that_goes_away_and_comes_back_is_followed_again(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Fingerprint | None] = []
    real = FleetFileWatch._fingerprint

    def fingerprint(self: FleetFileWatch) -> Fingerprint | None:
        seen.append(real(self))
        return seen[-1]

    monkeypatch.setattr(FleetFileWatch, "_fingerprint", fingerprint)
    async with following(short_dir, "one") as fleet:
        await fleet.until(up(ONE))
        fleet.file.unlink()
        await fleet.until(lambda _: seen[-3:] == [None] * 3)
        write(fleet.file, "one", "two")
        await fleet.until(up(TWO))
        assert fleet.said("was rejected") == []


async def test_a_file_that_is_written_again_as_it_was_loads_nothing(
    short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    real = RunningEngine._judge_file

    async def judge(self: RunningEngine, problem: str) -> None:
        judged.append(problem)
        await real(self, problem)

    monkeypatch.setattr(RunningEngine, "_judge_file", judge)
    async with following(short_dir, "one") as fleet:
        await fleet.until(lambda _: judged == [""])
        write(fleet.file, "one")
        await fleet.until(lambda _: judged == ["", ""])
        write(fleet.file, "one", "two")
        await fleet.until(up(TWO))
        assert len(await fleet.until_said("fleet lab loaded", 1)) == 1
