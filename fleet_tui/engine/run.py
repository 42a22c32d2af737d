"""An engine from its parts: ledger, telemetry, ports, loop and door, opened in order and closed in
the opposite order."""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from fleet_tui import __version__
from fleet_tui.core.attempts import Word
from fleet_tui.core.commands import StopEngine
from fleet_tui.core.events import FleetLoaded, Recorded
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import RunId
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.narrate import log_line
from fleet_tui.core.protocol import Doorbell
from fleet_tui.core.state import FleetState
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.core.vitals import Look
from fleet_tui.engine.bell import Bell
from fleet_tui.engine.clock import Clock, WallClock
from fleet_tui.engine.effects import FleetEffects
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.inbox import FleetChanged, LookTaken, WordHeard
from fleet_tui.engine.ports import Ports
from fleet_tui.engine.reload import FleetFile
from fleet_tui.engine.server import Server
from fleet_tui.engine.telemetry import Telemetry
from fleet_tui.journal.logs import LogWriter
from fleet_tui.journal.samples import SampleWriter
from fleet_tui.journal.writer import JournalWriter
from fleet_tui.paths import private_dir, socket_path

log = logging.getLogger(__name__)


class RunningEngine:
    """An engine and everything it needs. Use as ``async with``; then :meth:`run`."""

    def __init__(
        self,
        spec: FleetSpec,
        directory: Path,
        *,
        file: Path | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """``file`` is followed for changes; ``rng`` only spreads waits and needs no secrecy."""
        self.directory = directory
        self._spec = spec
        self._file = file
        self._clock = clock or WallClock()
        self._rng = rng or random.Random()  # noqa: S311  # spreads waits, keeps no secrets
        self._ended = "did not start"
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "RunningEngine":
        """Own the ledger and open the door. Raises FleetError: in use, damaged, unsafe …"""
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def run(self) -> str:
        """Work until stopped and say why it stopped."""
        background = [
            asyncio.create_task(self.telemetry.run(), name="telemetry"),
            asyncio.create_task(self._bell.run(), name="bell"),
        ]
        if self._file is not None:
            follow = FleetFile(self._file, self._spec, self._change_fleet, self._say)
            background.append(asyncio.create_task(follow.run(), name="fleet file"))
        loop = asyncio.create_task(self.engine.run(), name="engine loop")
        try:
            # A background task never ends by itself: one that does has failed, and so have we.
            await asyncio.wait({loop, *background}, return_when=asyncio.FIRST_COMPLETED)
            self._ended = "failed"
            for task in background:
                if task.done():
                    task.result()
            await loop
            self._ended = self.engine.stop_reason or ""
            return self._ended
        finally:
            for task in (loop, *background):
                task.cancel()
            await asyncio.gather(loop, *background, return_exceptions=True)

    def stop(self, reason: str) -> None:
        """Ask the loop to stop; for signal handlers."""
        self._stopping = asyncio.ensure_future(self.engine.ask("system", StopEngine(reason=reason)))

    async def _open(self) -> None:
        now_ms = self._clock.now_ms
        writer = await JournalWriter.open(self.directory, now_ms, __version__, os.getpid())
        self._stack.push_async_callback(self._close_ledger, writer)
        if writer.state.fleet != self._spec:
            await writer.append([FleetLoaded(spec=self._spec, by="fleet file")], now_ms())
        lines = await LogWriter.open(self.directory)
        self._stack.push_async_callback(lines.close)
        samples = await SampleWriter.open(self.directory)
        self._stack.push_async_callback(samples.close)

        ports = Ports(self._clock, self._rng, writer.epoch)
        self._stack.push_async_callback(ports.close)
        self.effects = FleetEffects(
            ports,
            clock=self._clock,
            rng=self._rng,
            seen=self._seen,
            heard=self._heard,
            hear=self._hear,
        )
        self.engine = Engine(writer, writer.state, self.effects, self._clock, self._published)
        self._bell = Bell(self._ring)
        self.telemetry = Telemetry(
            lines, samples, self._clock, lambda: self.engine.state, self._bell.touch
        )
        self._stack.callback(self.telemetry.hand_over)
        self._stack.push_async_callback(self.effects.close)
        self._server = Server(self.engine, writer.epoch, self._doorbell, now_ms)
        path = socket_path(self.directory)
        private_dir(path.parent)
        await self._server.listen(path)
        self._stack.push_async_callback(self._server.close)

    async def _close_ledger(self, writer: JournalWriter) -> None:
        await writer.close(self._ended)

    async def _change_fleet(self, spec: FleetSpec) -> None:
        self._spec = spec
        await self.engine.inbox.put(FleetChanged(spec, "fleet file"))

    async def _seen(self, look: Look) -> None:
        self.telemetry.seen(look)
        await self.engine.inbox.put(LookTaken(look))

    async def _hear(self, run: RunId, word: Word) -> None:
        await self.engine.inbox.put(WordHeard(run, word))

    def _heard(self, lines: Sequence[LogLine | LogGap]) -> None:
        self.telemetry.heard(lines)

    def _ring(self) -> None:
        self._server.ring()

    def _published(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        lines = [line for r in recorded if (line := log_line(r, state)) is not None]
        self.telemetry.heard(lines)
        self._bell.touch()

    def _say(self, level: Level, text: str) -> None:
        line = LogLine(
            received_at_ms=self._clock.now_ms(), source=None, level=level, text=Untrusted(text)
        )
        self.telemetry.heard([line])

    def _doorbell(self) -> Doorbell:
        return Doorbell(
            seq=self.engine.state.seq,
            sample=self.telemetry.newest_sample,
            line=self.telemetry.newest_line,
            now_ms=self._clock.now_ms(),
        )


async def run_engine(
    spec: FleetSpec,
    directory: Path,
    *,
    file: Path | None = None,
    ready: Callable[[], None] = lambda: None,
) -> str:
    """Run a fleet's engine until it is stopped, by a command, SIGTERM or SIGINT; SIGHUP changes
    nothing. Returns why it stopped. Raises FleetError when it cannot start or its ledger fails."""
    async with RunningEngine(spec, directory, file=file) as running:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.stop, f"got {number.name}")
        loop.add_signal_handler(signal.SIGHUP, log.info, "SIGHUP changes nothing")
        ready()
        return await running.run()
