"""Data stored outside the ledger: probe results, samples of the fleet and log lines. Bounded and
non-blocking: when the disk is slow, lines are dropped and counted; the ledger does not wait."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from fleet_tui.core.agents.vitals import FleetSample, ProbeResult
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.status import sample_of
from fleet_tui.core.tasks.open_work import OpenWork
from fleet_tui.engine.clock import Clock

CHECK_S = 0.1
"""How often to check for new rows, which bounds the delay of a log line on a console."""
PROBES_EVERY_S = 1.0
SAMPLE_EVERY_S = 5.0


class LineStore(Protocol):
    """The store of log lines."""

    @property
    def newest_id(self) -> int:
        """The newest stored row."""
        ...

    def write(self, lines: Sequence[LogLine | LogGap]) -> int:
        """Pass lines on; returns at once with the number dropped."""
        ...


class SampleStore(Protocol):
    """The store of probe results and samples."""

    @property
    def newest_id(self) -> int:
        """The newest stored row."""
        ...

    def add(self, samples: Iterable[ProbeResult | FleetSample]) -> None:
        """Pass samples on; returns at once."""
        ...


class Telemetry:
    """Passes probe results, samples and lines to their stores; calls ``touched`` for new rows."""

    def __init__(
        self,
        lines: LineStore,
        samples: SampleStore,
        clock: Clock,
        state: Callable[[], FleetState],
        touched: Callable[[], None],
    ) -> None:
        self._lines = lines
        self._samples = samples
        self._clock = clock
        self._state = state
        self._touched = touched
        self._probes: dict[AgentName, ProbeResult] = {}
        self._work = OpenWork()

    @property
    def newest_line(self) -> int:
        """The newest stored log line."""
        return self._lines.newest_id

    @property
    def newest_sample(self) -> int:
        """The newest stored sample."""
        return self._samples.newest_id

    def on_log_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Accept log lines; never waits."""
        self._lines.write(lines)

    def on_probe(self, result: ProbeResult) -> None:
        """Accept a probe result; an older one that was not passed on yet is replaced."""
        self._probes[result.agent] = result

    async def run(self) -> None:
        """Pass data on and check for new rows until cancelled."""
        loop = asyncio.get_running_loop()
        next_probes = next_sample = loop.time()
        before = (-1, -1)
        while True:
            if loop.time() >= next_probes:
                next_probes = loop.time() + PROBES_EVERY_S
                self.hand_over()
            if loop.time() >= next_sample:
                next_sample = loop.time() + SAMPLE_EVERY_S
                self._samples.add([sample_of(self._state(), self._clock.now_ms(), self._work)])
            stored = (self._lines.newest_id, self._samples.newest_id)
            if stored != before:
                before = stored
                self._touched()
            await asyncio.sleep(CHECK_S)

    def hand_over(self) -> None:
        """Pass the pending probe results to their store."""
        if self._probes:
            self._samples.add(self._probes.values())
            self._probes = {}
