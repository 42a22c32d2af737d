"""What is kept beside the ledger: looks, the fleet's pulse and log lines. Bounded, and never in the
way: when the disk is slow, lines are dropped and counted; the ledger does not notice."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from fleet_tui.core.ids import AgentName
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.state import FleetState
from fleet_tui.core.status import sample_of
from fleet_tui.core.vitals import FleetSample, Look
from fleet_tui.engine.clock import Clock

log = logging.getLogger(__name__)

MAX_WAITING_LINES = 50_000
"""Lines that may wait for the disk; beyond it the newest are dropped and counted."""
FLUSH_S = 0.1
LOOKS_EVERY_S = 1.0
SAMPLE_EVERY_S = 5.0


class LineSink(Protocol):
    """Where log lines go."""

    async def append(self, lines: Sequence[LogLine | LogGap]) -> int:
        """Store them and return the newest row."""
        ...


class SampleSink(Protocol):
    """Where looks and samples go."""

    async def append(self, looks: Sequence[Look], samples: Sequence[FleetSample]) -> int:
        """Store them and return the newest row."""
        ...


class Telemetry:
    """Collects and writes in the background; ``touched`` is called when there is more to read."""

    def __init__(
        self,
        lines: LineSink,
        samples: SampleSink,
        clock: Clock,
        state: Callable[[], FleetState],
        touched: Callable[[], None],
    ) -> None:
        self.newest_line = 0
        self.newest_sample = 0
        self._line_sink = lines
        self._sample_sink = samples
        self._clock = clock
        self._state = state
        self._touched = touched
        self._lines: deque[LogLine | LogGap] = deque()
        self._dropped = 0
        self._looks: dict[AgentName, Look] = {}
        self._more = asyncio.Event()

    def heard(self, lines: Sequence[LogLine | LogGap]) -> None:
        """Take log lines in; never waits."""
        room = MAX_WAITING_LINES - len(self._lines)
        self._lines.extend(lines[:room])
        self._dropped += max(0, len(lines) - room)
        self._more.set()

    def seen(self, look: Look) -> None:
        """Take a look in; an older one that was not written yet is replaced."""
        self._looks[look.agent] = look

    async def run(self) -> None:
        """Write until cancelled; what is left is written by :meth:`flush`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_lines())
            group.create_task(self._write_looks())

    async def flush(self) -> None:
        """Write everything that waits."""
        await self._flush_lines()
        await self._flush_looks(())

    async def _write_lines(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            await self._flush_lines()
            await asyncio.sleep(FLUSH_S)

    async def _flush_lines(self) -> None:
        if self._dropped:
            self._lines.append(
                LogGap(
                    received_at_ms=self._clock.now_ms(),
                    source=None,
                    reason="more lines than the disk could take",
                    lines=self._dropped,
                )
            )
            self._dropped = 0
        if not self._lines:
            return
        batch = list(self._lines)
        self._lines.clear()
        self.newest_line = await self._line_sink.append(batch)
        self._touched()

    async def _write_looks(self) -> None:
        loop = asyncio.get_running_loop()
        next_sample = loop.time()
        while True:
            samples: tuple[FleetSample, ...] = ()
            if loop.time() >= next_sample:
                next_sample = loop.time() + SAMPLE_EVERY_S
                samples = (sample_of(self._state(), self._clock.now_ms()),)
            await self._flush_looks(samples)
            await asyncio.sleep(LOOKS_EVERY_S)

    async def _flush_looks(self, samples: Sequence[FleetSample]) -> None:
        if not self._looks and not samples:
            return
        looks = list(self._looks.values())
        self._looks.clear()
        self.newest_sample = await self._sample_sink.append(looks, samples)
        self._touched()
