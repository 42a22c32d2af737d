"""The common part of all agents that are plain programs: runs, tracked by the wrapper.

:mod:`fleet_tui.wire.programs.command` reaches the program by SSH,
:mod:`fleet_tui.wire.programs.local` on this machine; nothing else differs.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from fleet_tui.core.agents.vitals import ProbeFailure, VitalsReading
from fleet_tui.core.fleet import CommandAgent, LocalAgent, is_reference
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.evidence import (
    Definite,
    LostReason,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Unknown,
)
from fleet_tui.wire.port import Inspection, KeptRuns, StartAnswer, Wanted, always_wanted
from fleet_tui.wire.programs.fitness import Fitness
from fleet_tui.wire.programs.logtail import LogTail
from fleet_tui.wire.programs.wrapper import Program, RunDirectory, RunWrapper
from fleet_tui.wire.secrets import Connect, SecretProblem, resolve_secret
from fleet_tui.wire.shell import Shell
from fleet_tui.wire.ssh.failures import SshFailure

CROWDED_POLL_S = 3.0
"""Between inspections of a run while all long polls of its host are taken."""
MAX_TRACES = 1_000


class ProgramPort(ABC):
    """An AgentPort for a program; subclasses define how to reach and to probe it."""

    def __init__(
        self,
        agent: AgentName,
        spec: CommandAgent | LocalAgent,
        *,
        directory: RunDirectory,
        probe_timeout_ms: int,
        now_ms: Callable[[], int],
        files: Connect | None = None,
    ) -> None:
        """``directory`` is the engine's knowledge of the run directory, ``now_ms`` the wall clock:
        milliseconds since the epoch, UTC; ``files`` reads files of the agent's host, for
        ``secret:host:``."""
        self._files = files
        self._agent = agent
        self._spec = spec
        self._probe_timeout_ms = probe_timeout_ms
        self._now_ms = now_ms
        self._references = {n: v for n, v in spec.env.items() if is_reference(v)}
        # A run's files contain its other variables; secrets are written nowhere.
        plain = {n: v for n, v in spec.env.items() if n not in self._references}
        program = Program(command=spec.command, run_dir=spec.run_dir, env=plain)
        self._wrapper = RunWrapper(program, directory, now_ms)
        self._fitness = Fitness(
            agent, spec, self._wrapper, timeout_ms=probe_timeout_ms, now_ms=now_ms
        )
        self._traces: dict[str, TaskId] = {}
        self._suspended: set[str] = set()
        """Runs last reported as suspended."""

    @abstractmethod
    async def reach(self) -> Shell | SshFailure:
        """A shell where the program is, or why there is none."""

    @abstractmethod
    async def probe(self) -> VitalsReading | ProbeFailure:
        """One cheap probe; answers within the agent's probe timeout."""

    async def lost(self) -> ProbeFailure:
        """See :class:`AgentPort`. For ever where there is no connection to lose."""
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
        """Ask the agent to run this attempt. Called at most once per run id, ever. The program gets
        the secrets named in its ``env``."""
        secrets: dict[str, str] = {}
        for name, reference in self._references.items():
            secret = await resolve_secret(reference, connect=self._files)
            if isinstance(secret, SecretProblem):
                return Definite(NotStarted(reason=secret.kind.value, detail=secret.detail))
            secrets[name] = secret.reveal()
        shell = await self.reach()
        if isinstance(shell, SshFailure):
            # No connection, so no byte of the order was sent.
            refusal: NotStarted | Started = NotStarted(reason=shell.kind.value, detail=shell.detail)
            return Definite(refusal)
        self._note_trace(order)
        found = await self._wrapper.start(shell, order, wanted, secrets)
        if isinstance(found, Definite) and isinstance(found.value, NotStarted):
            self._fitness.refused(found.value.reason)
        return found

    async def follow(self, order: RunOrder) -> Inspection:
        """Wait until the run ends: the host delays the answer until then, or until its program is
        stopped or continued."""
        self._note_trace(order)
        while True:
            shell = await self.reach()
            if isinstance(shell, SshFailure):
                return _unreachable(shell)
            crowded = shell.long_polls.locked()
            known = order.run_id in self._suspended
            if crowded:
                found = await self._wrapper.inspect(shell, order)
            else:
                async with shell.long_polls:
                    found = await self._wrapper.linger(shell, order, suspended=known)
            self._note_suspended(order, found)
            if isinstance(found, Unknown) or not isinstance(found.value, Running):
                return found
            if found.value.suspended != known:
                return found
            if crowded:
                await asyncio.sleep(CROWDED_POLL_S)

    async def inspect(self, order: RunOrder) -> Inspection:
        """Determine the state of a run without ever starting one; fences a run that never
        started."""
        shell = await self.reach()
        if isinstance(shell, SshFailure):
            return _unreachable(shell)
        found = await self._wrapper.inspect(shell, order)
        self._note_suspended(order, found)
        return found

    async def cancel(self, order: RunOrder) -> Inspection:
        """TERM, then KILL, for the run and everything it started."""
        shell = await self.reach()
        if isinstance(shell, SshFailure):
            return _unreachable(shell)
        found = await self._wrapper.cancel(shell, order)
        self._note_suspended(order, found)
        return found

    async def fence(self, order: RunOrder) -> Inspection:
        """Leave a tombstone for a run that never started, end one that still runs."""
        return await self.cancel(order)

    async def tail(self) -> AsyncGenerator[LogLine | LogGap, None]:
        """The lines of the agent's log file from now on; ends at once where it has none."""
        if self._spec.log_file is None:
            return
        log = LogTail(
            self._spec.log_file,
            agent=self._agent,
            wrapper=self._wrapper,
            reach=self.reach,
            now_ms=self._now_ms,
            traces=self._traces,
        )
        # Closed here and not by the garbage collector: it holds a session.
        async with aclosing(log.lines()) as lines:
            async for item in lines:
                yield item

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        """Delete the runs' directories on the host."""
        shell = await self.reach()
        if isinstance(shell, SshFailure):
            return ()
        gone = await self._wrapper.collect(shell, runs)
        return () if isinstance(gone, Unknown) else gone

    async def kept(self, skip: int) -> KeptRuns | None:
        """The runs that have a directory or a tombstone on the host."""
        shell = await self.reach()
        return None if isinstance(shell, SshFailure) else await self._wrapper.kept(shell, skip)

    async def close(self) -> None:
        """Forget the tasks of runs; connections belong to their hosts."""
        self._traces.clear()
        self._suspended.clear()

    def _note_suspended(self, order: RunOrder, found: Inspection) -> None:
        if isinstance(found, Definite):
            if isinstance(found.value, Running) and found.value.suspended:
                self._suspended.add(order.run_id)
            else:
                self._suspended.discard(order.run_id)

    def _note_trace(self, order: RunOrder) -> None:
        self._traces[order.trace_id] = TaskId(order.task_id)
        if len(self._traces) > MAX_TRACES:
            del self._traces[next(iter(self._traces))]


def _unreachable(failure: SshFailure) -> Unknown:
    return Unknown(LostReason.UNREACHABLE, failure.detail)
