"""Agents that are programs on a host reached by SSH."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.wire.numbers import count, percent_used, written_count
from fleet_tui.wire.programs.program import ProgramPort
from fleet_tui.wire.programs.wrapper import RunDirectory, WrapperReply
from fleet_tui.wire.secrets import Connect
from fleet_tui.wire.shell import Shell
from fleet_tui.wire.ssh.failures import SshFailure
from fleet_tui.wire.ssh.pool import STILL_CONNECTING


class HostPool(Protocol):
    """The part of a :class:`~fleet_tui.wire.ssh.pool.SshPool` that a port uses."""

    async def connect(self, host: HostName) -> Shell | SshFailure:
        """The host's shared connection, made if there is none."""
        ...

    def why_not(self, host: HostName) -> SshFailure | None:
        """Why there is no connection at this moment; None when there is one."""
        ...

    def judge(self, host: HostName, *, works: bool) -> None:
        """Note whether the host runs what it is sent over its connection."""
        ...


class CommandPort(ProgramPort):
    """An AgentPort for a program on a host."""

    def __init__(
        self,
        agent: AgentName,
        spec: CommandAgent,
        host: HostName,
        pool: HostPool,
        *,
        directory: RunDirectory,
        probe_timeout_ms: int,
        now_ms: Callable[[], int],
        left: Callable[[], None] = lambda: None,
        files: Connect | None = None,
    ) -> None:
        """``left`` is called when the connections of the pool are no longer needed here; ``files``
        as for :class:`ProgramPort`."""
        super().__init__(
            agent,
            spec,
            directory=directory,
            probe_timeout_ms=probe_timeout_ms,
            now_ms=now_ms,
            files=files,
        )
        self._host = host
        self._pool = pool
        self._left = left
        self._cpu = CpuShare()
        self._hung_up = asyncio.Event()
        self._lost_by = STILL_CONNECTING

    def host_lost(self, failure: SshFailure) -> None:
        """The connection to the agent's host is lost."""
        self._lost_by = failure
        self._hung_up.set()

    async def lost(self) -> ProbeFailure:
        """See :class:`AgentPort`."""
        await self._hung_up.wait()
        self._hung_up.clear()
        return self._fitness.failure(self._lost_by.kind, self._lost_by.detail)

    async def close(self) -> None:
        """See :class:`AgentPort`."""
        await super().close()
        self._left()

    async def reach(self) -> Shell | SshFailure:
        """The host's shared connection."""
        return await self._pool.connect(self._host)

    async def probe(self) -> VitalsReading | ProbeFailure:
        """One exec of the wrapper: load, memory, disk, boot id, clock, and whether the program
        exists."""
        try:
            async with asyncio.timeout(self._probe_timeout_ms / 1000):
                shell = await self.reach()
        except TimeoutError:
            shell = self._pool.why_not(self._host) or STILL_CONNECTING
        if isinstance(shell, SshFailure):
            return self._fitness.failure(shell.kind, shell.detail)
        loop = asyncio.get_running_loop()
        asked_at_ms, began_s = self._now_ms(), loop.time()
        found = await self._fitness.probe(shell)
        if self._fitness.runs_ours is not None:
            self._pool.judge(self._host, works=self._fitness.runs_ours)
        latency_ms = (loop.time() - began_s) * 1000
        if isinstance(found, ProbeFailure):
            host = self._pool.why_not(self._host)
            if host is not None and host.kind is FailureKind.SSH_PROTOCOL:
                return self._fitness.failure(host.kind, host.detail)
            return found
        return self._reading(found, asked_at_ms, latency_ms)

    def _reading(self, reply: WrapperReply, asked_at_ms: int, latency_ms: float) -> VitalsReading:
        host_ms, disk_kb = reply.number("time"), reply.number("disk")
        return VitalsReading(
            agent=self._agent,
            observed_at_ms=self._now_ms(),
            latency_ms=latency_ms,
            boot_id=next(iter(reply.words.get("boot", ())), None),
            cpu_percent=self._cpu.percent(reply.words.get("cpu", ())),
            memory_percent=percent_used(reply.number("MemTotal:"), reply.number("MemAvailable:")),
            disk_free_bytes=None if disk_kb is None else count(disk_kb * 1024),
            load_average=reply.number("load"),
            clock_skew_ms=None if host_ms is None else host_ms - (asked_at_ms + latency_ms / 2),
        )


class CpuShare:
    """How busy a Linux host was between two probes, from the counters of ``/proc/stat``."""

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None

    def percent(self, counters: tuple[str, ...]) -> float | None:
        """Percent of all CPUs since the last call; None at first or without counters."""
        ticks = [each for each in map(written_count, counters[:8]) if each is not None]
        if len(ticks) < max(5, len(counters[:8])):
            return None
        idle, total = ticks[3] + ticks[4], sum(ticks)
        before, self._before = self._before, (idle, total)
        if before is None or total <= before[1]:
            return None
        share = 1 - (idle - before[0]) / (total - before[1])
        return 100 * min(1.0, max(0.0, share))
