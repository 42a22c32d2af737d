"""An engine from its parts: ledger, telemetry, ports, loop and door, opened in order and closed in
the opposite order. When its ledger fails it starts again from the disk; when that cannot be used, a
stand-in reports it."""

import asyncio
import logging
import os
import random
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from fleet_tui import __version__
from fleet_tui.base.doors import make_room
from fleet_tui.base.paths import socket_path
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.engine.events import EngineModeChanged, FleetLoaded
from fleet_tui.core.engine.protocol import Doorbell
from fleet_tui.core.fleet import FleetSpec, LocalAgent
from fleet_tui.core.ids import RunId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.narrate import log_line
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.modes import EngineMode, Trouble
from fleet_tui.core.step import AgentProbed, FleetChanged, FleetFileSeen, RunReported
from fleet_tui.core.tasks.attempts import RunReport
from fleet_tui.engine.bell import Bell
from fleet_tui.engine.clock import Clock, SteadyClock, WallClock
from fleet_tui.engine.descriptors import Budget, budget, open_now, raised_limit
from fleet_tui.engine.effects import FleetEffects
from fleet_tui.engine.engine import Engine
from fleet_tui.engine.leftovers import past_tasks_in
from fleet_tui.engine.machines import MachineFinder
from fleet_tui.engine.pacing import USUAL, Pacing
from fleet_tui.engine.ports import Ports
from fleet_tui.engine.proving import keep_proving
from fleet_tui.engine.reload import FleetFileWatch
from fleet_tui.engine.server import Server
from fleet_tui.engine.standby import Standby, mode_for
from fleet_tui.engine.supervisor import keep_going
from fleet_tui.engine.telemetry import Telemetry
from fleet_tui.engine.watch import Watchman
from fleet_tui.journal.directory import Home
from fleet_tui.journal.errors import (
    EpochLost,
    JournalDamaged,
    JournalFailed,
    JournalInUse,
    JournalUnavailable,
    StateGone,
)
from fleet_tui.journal.ledger.troubles import failure
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.telemetry.logs import LogWriter
from fleet_tui.journal.telemetry.samples import SampleWriter
from fleet_tui.wire.ssh.resolver import SshResolver

log = logging.getLogger(__name__)

FAILED_AGAIN_S = 60.0
"""A ledger that fails again within this long is retried with growing delays."""
STAND_IN_TRIES = 10
"""So often an engine that worked asks a disk that refuses even its lock. Then it ends, though
nobody may be there to start another."""
EVICTED_S = 0.5
"""How long an engine that lost its ledger to another may take to leave."""


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
        recovered_from: str = "",
        home: Home | None = None,
        pacing: Pacing = USUAL,
    ) -> None:
        """``file`` is watched for changes; ``rng`` only spreads waits and needs no secrecy;
        ``recovered_from`` is why the engine before this one lost its ledger, ``home`` its
        directory."""
        self.directory = directory
        self.spec = spec
        """The newest valid fleet."""
        self._file = file
        self._recovered_from = recovered_from
        self._home = home
        self._pacing = pacing
        self._steady = clock is None
        self._clock = clock or WallClock()
        self._rng = rng or random.Random()  # noqa: S311  # spreads waits, keeps no secrets
        self._ended = "did not start"
        self.opened = False
        """Whether it ever worked."""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "RunningEngine":
        """Lock the ledger and open the door. Raises FleetError: in use, damaged, unsafe …"""
        try:
            await self._open()
            self.opened = True
        except BaseException:  # close what was opened, and release the ledger
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, EpochLost):
            await self._stack.aclose()
            return
        with suppress(TimeoutError):  # another engine works already: leave at once
            async with asyncio.timeout(EVICTED_S):
                await self._stack.aclose()

    async def run(self) -> str:
        """Work until stopped; returns the reason."""
        units: dict[str, Callable[[], Awaitable[None]]] = {
            "telemetry": self.telemetry.run,
            "bell": self._bell.run,
            "ledger proof": partial(keep_proving, self.directory),
            "the watch over its files": Watchman(
                self._writer, self._server, self._short_of, self._not_probed
            ).run,
            "ssh_config": MachineFinder(
                self._resolver, lambda: self.engine.state.fleet, self.engine.inbox.put
            ).run,
        }
        if self._file is not None:
            follow = FleetFileWatch(self._file, self.spec, self._change_fleet, self._judge_file)
            units["fleet file"] = follow.run
        failed = self.engine.unit_failed
        background = [
            asyncio.create_task(keep_going(name, work, failed), name=name)
            for name, work in units.items()
        ]
        background.append(asyncio.create_task(self._writer.failed(), name="ledger"))
        loop = asyncio.create_task(self.engine.run(), name="engine loop")
        try:
            # A background task never ends by itself: one that does lost the ledger or its trust.
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

    def _short_of(self, troubles: Mapping[Trouble, str]) -> None:
        self.engine.troubles = troubles

    def stop(self, reason: str) -> None:
        """Ask the loop to stop; for signal handlers."""
        self._stopping = asyncio.ensure_future(self.engine.ask("system", StopEngine(reason=reason)))

    async def _open(self) -> None:
        writer = await JournalWriter.open(
            self.directory, self._clock.now_ms, __version__, os.getpid(), home=self._home
        )
        self._stack.push_async_callback(self._close_ledger, writer)
        self._writer = writer
        if self._steady:
            self._clock = SteadyClock(self._clock, not_before_ms=writer.state.at_ms)
        now_ms = self._clock.now_ms
        if self._recovered_from:
            was, mode = EngineMode.READ_ONLY, writer.state.engine.mode.mode
            reason = f"read again from the disk and found intact, after: {self._recovered_from}"
            await writer.append([EngineModeChanged(mode=mode, was=was, reason=reason)], now_ms())
        spec = self.spec.with_machines_of(writer.state.fleet)
        if writer.state.fleet != spec:
            await writer.append([FleetLoaded(spec=spec, by="fleet file")], now_ms())
        lines = await LogWriter.open(self.directory)
        self._stack.push_async_callback(lines.close)
        samples = await SampleWriter.open(self.directory)
        self._stack.push_async_callback(samples.close)

        self._budget = await asyncio.to_thread(self._share_descriptors)
        self._places = self._budget.places
        self._resolver = SshResolver()
        ports = Ports(
            self._clock,
            self._rng,
            writer.epoch,
            is_owner=writer.is_owner,
            places=self._places,
            processes=self._budget.processes,
            resolver=self._resolver,
        )
        self._stack.push_async_callback(ports.close)
        self.effects = FleetEffects(
            ports,
            clock=self._clock,
            rng=self._rng,
            on_probe=self._on_probe,
            on_log_lines=self._on_log_lines,
            on_run_report=self._on_run_report,
            past_tasks=past_tasks_in(self.directory),
            pacing=self._pacing,
        )
        self.engine = Engine(
            writer, writer.state, self.effects, self._clock, self._published, pacing=self._pacing
        )
        self._bell = Bell(self._ring)
        self.telemetry = Telemetry(
            lines, samples, self._clock, lambda: self.engine.state, self._bell.touch
        )
        self._stack.callback(self.telemetry.hand_over)
        self._stack.push_async_callback(self.effects.close)
        self._server = Server(
            self.engine,
            lambda: self.engine.state.fleet.name,
            writer.epoch,
            self._doorbell,
            self._budget.clients,
        )
        path = socket_path(self.directory)
        try:
            make_room(path)
            await self._server.listen(path)
        except OSError as error:
            raise failure(error, self.directory, "the engine's door cannot be opened") from error
        self._stack.push_async_callback(self._server.close)

    def _share_descriptors(self) -> Budget:
        agents = self.spec.agents.values()
        local = any(isinstance(agent.kind, LocalAgent) for agent in agents)
        return budget(raised_limit(), open_now(), has_local_agents=local)

    def _not_probed(self) -> str:
        """The agents left out for lack of descriptors, in words; empty for none."""
        probes = self.engine.memory.probes.values()
        kind = FailureKind.NO_DESCRIPTORS
        count = sum(isinstance(result, ProbeFailure) and result.kind is kind for result in probes)
        if count == 0:
            return ""
        of = len(self.engine.state.fleet.agents)
        return f"{count} of {of} agents are not probed: {self._places.words}"

    async def _close_ledger(self, writer: JournalWriter) -> None:
        await writer.close(self._ended)

    async def _change_fleet(self, spec: FleetSpec) -> None:
        self.spec = spec
        await self.engine.inbox.put(FleetChanged(spec, "fleet file"))

    async def _on_probe(self, result: ProbeResult) -> None:
        self.telemetry.on_probe(result)
        await self.engine.inbox.put(AgentProbed(result))

    async def _on_run_report(self, run: RunId, report: RunReport) -> None:
        await self.engine.inbox.put(RunReported(run, report))

    def _on_log_lines(self, lines: Sequence[LogLine | LogGap]) -> None:
        self.telemetry.on_log_lines(lines)

    def _ring(self) -> None:
        self._server.ring()

    def _published(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        lines = [line for r in recorded if (line := log_line(r, state)) is not None]
        self.telemetry.on_log_lines(lines)
        self._bell.touch()

    async def _judge_file(self, problem: str) -> None:
        await self.engine.inbox.put(FleetFileSeen(problem))

    def _doorbell(self) -> Doorbell:
        return Doorbell(
            seq=self.engine.state.seq,
            sample=self.telemetry.newest_sample,
            line=self.telemetry.newest_line,
            now_ms=self._clock.now_ms(),
            mode=self.engine.mode,
        )


class _Stops:
    """SIGTERM and SIGINT, for the current engine or stand-in. Between two of them, a signal is
    passed to the next one as soon as it exists."""

    def __init__(self) -> None:
        self._stop: Callable[[str], None] = lambda _: None
        self.asked = ""

    def hand_to(self, stop: Callable[[str], None]) -> None:
        """From now on signals stop this one. Before the first, a signal ends the process."""
        self._stop = stop
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._got, f"got {number.name}")
        if self.asked:
            stop(self.asked)

    def _got(self, reason: str) -> None:
        self.asked = reason
        self._stop(reason)


async def _stand_in(
    standby: Standby, ready: Callable[[], None], stops: _Stops, *, wait_s: float, tries: int
) -> str | None:
    """As :meth:`Standby.run`, retried where the disk refuses for a moment. A missing directory is
    not retried."""
    while True:
        tries -= 1
        try:
            return await standby.run(ready, wait_s=wait_s)
        except JournalFailed as error:
            if error.trouble is Trouble.DIRECTORY_GONE or tries <= 0:
                raise
            log.error("%s; it is tried again", error.message)
        await asyncio.sleep(standby.pacing.room_every_s)
        if stops.asked:
            return stops.asked


@contextmanager
def _ours_since(lost: JournalFailed | None) -> Iterator[None]:
    """Open a ledger that was ours until it was ``lost``, if it was: a holder of its lock then took
    it over. Raises EpochLost for that, JournalInUse where we never had it."""
    try:
        yield
    except JournalInUse as error:
        if lost is None:
            raise
        raise EpochLost(f"another engine took over this ledger: {error.message}") from error


async def run_engine(
    spec: FleetSpec,
    directory: Path,
    *,
    file: Path | None = None,
    ready: Callable[[], None] = lambda: None,
    pacing: Pacing = USUAL,
) -> str:
    """Run a fleet's engine until it is stopped, by a command, SIGTERM or SIGINT; SIGHUP changes
    nothing. Returns why it stopped. Raises FleetError when it cannot start or another took over."""
    raised_limit()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, log.info, "SIGHUP changes nothing")

    stops = _Stops()

    def stopped_by(stop: Callable[[str], None]) -> None:
        stops.hand_to(stop)
        ready()

    home = Home(directory)
    lost: JournalFailed | None = None
    failed_at = -FAILED_AGAIN_S
    failures, wait_s = 0, 0.0
    while True:
        running = RunningEngine(
            spec,
            directory,
            file=file,
            recovered_from=lost.message if lost else "",
            home=home,
            pacing=pacing,
        )
        try:
            with _ours_since(lost):
                async with running:
                    stopped_by(running.stop)
                    return await running.run()
        except EpochLost:
            raise
        except StateGone:
            raise  # a new ledger in its place would know nothing about open runs
        except JournalFailed as error:
            log.error("the ledger failed: %s", error.message)
            again = loop.time() - failed_at < FAILED_AGAIN_S + wait_s
            failed_at = loop.time()
            if running.opened:  # a ledger that was never ours is not lost
                lost = error
            spec = running.spec
            if not again and running.opened:
                failures, wait_s = 0, 0.0
                continue
            failures += 1
            wait_s = pacing.reopen.ceiling_ms(failures) / 1_000
            unusable: JournalDamaged | JournalUnavailable | JournalFailed = error
        except (JournalDamaged, JournalUnavailable) as error:
            unusable = error
        mode = await asyncio.to_thread(mode_for, directory, unusable, WallClock().now_ms())
        log.error("engine mode %s: %s", mode.mode.label, mode.reason)
        standby = Standby(spec.name, home, mode, WallClock(), pacing)
        with _ours_since(lost):
            ended = await _stand_in(
                standby,
                partial(stopped_by, standby.stop),
                stops,
                wait_s=wait_s,
                tries=1 if lost is None else STAND_IN_TRIES,
            )
        if ended is not None:
            return ended
