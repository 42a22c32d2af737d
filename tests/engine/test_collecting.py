"""Runs of long ago are deleted on their hosts, whatever a host keeps."""

import random
from collections.abc import Sequence

import pytest

from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.fleet import ProbeSpec
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.engine import cadence
from fleet_tui.engine.cadence import MAX_COLLECTED, Watcher
from fleet_tui.engine.clock import WallClock
from tests.support.memory import FakeHost, FakePort
from tests.support.programs import until

AGENT = AgentName("worker")


class Keeping(FakePort):
    """Its host keeps some runs, and the first answer is lost."""

    kept: frozenset[RunId] = frozenset()
    asked = 0

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        assert len(runs) <= MAX_COLLECTED
        self.asked += 1
        if self.asked == 1:
            return ()
        return await super().collect([run for run in runs if run not in self.kept])


async def test_what_a_host_keeps_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [RunId(f"01KTASK.{n}") for n in range(4 * MAX_COLLECTED)]
    port = Keeping(AGENT, FakeHost())
    port.kept = frozenset(runs[: 2 * MAX_COLLECTED])
    monkeypatch.setattr(cadence, "COLLECT_EVERY_S", 0.0)

    async def on_probe(result: ProbeResult) -> None:
        """Nobody looks on."""

    def on_log_lines(lines: Sequence[LogLine | LogGap]) -> None:
        """Nobody listens."""

    watcher = Watcher(
        AGENT,
        ProbeSpec(),
        port,
        clock=WallClock(),
        rng=random.Random(7),
        on_probe=on_probe,
        on_log_lines=on_log_lines,
        finished=lambda _: runs,
    )
    try:
        await until(lambda: len(port.host.collected) >= 2 * MAX_COLLECTED)
    finally:
        await watcher.close()
    assert sorted(port.host.collected) == sorted(runs[2 * MAX_COLLECTED :])
