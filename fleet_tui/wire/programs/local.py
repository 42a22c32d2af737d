"""Agents that are a program on the engine's own machine: the same wrapper, without SSH."""

import asyncio
import contextlib
import errno
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import psutil

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import LocalAgent
from fleet_tui.core.ids import AgentName
from fleet_tui.core.tasks.evidence import Definite, LostReason, Unknown
from fleet_tui.wire import processes
from fleet_tui.wire.programs.program import ProgramPort
from fleet_tui.wire.programs.wrapper import RunDirectory, disk_full
from fleet_tui.wire.shell import (
    DEFAULT_MAX_OUTPUT_BYTES,
    ByteSource,
    ChannelFailure,
    Completed,
    RunResult,
    Shell,
)
from fleet_tui.wire.ssh.failures import SshFailure
from fleet_tui.wire.words import words_of

SH = "/bin/sh"
MAX_PROCESSES = 32
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Room:
    """How many wrapper processes may run here at once."""

    def __init__(self, processes: int | None) -> None:
        """Half of them may wait for the end of a run, a quarter read logs; None for MAX_PROCESSES
        of either and any number of other requests."""
        waiting = MAX_PROCESSES if processes is None else max(processes // 2, 1)
        reading = MAX_PROCESSES if processes is None else max(processes // 4, 1)
        self.long_polls = asyncio.Semaphore(waiting)
        self.log_streams = asyncio.Semaphore(reading)
        self.processes = None if processes is None else asyncio.Semaphore(max(processes, 3))


class LocalShell:
    """Runs the wrapper here. Ending the wrapper never ends the run it started."""

    def __init__(self, room: Room | None = None) -> None:
        """``room`` is shared by the shells of all agents on this machine; None for one of its own
        without a bound on requests."""
        room = room or Room(None)
        self.long_polls = room.long_polls
        self.log_streams = room.log_streams
        self._processes = room.processes

    async def run(
        self,
        command: str,
        stdin: bytes = b"",
        *,
        timeout_ms: int,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> RunResult:
        """Run a constant command; see :data:`fleet_tui.wire.shell.RunResult`. The wait for a free
        process counts, as it does over SSH."""
        began = False
        try:
            async with asyncio.timeout(timeout_ms / 1000), self._processes or nullcontext():
                began = True
                async with _process(command) as process:
                    return await _collect(process, stdin, max_output_bytes)
        except TimeoutError:
            if not began:
                detail = words_of(f"no process was free within {timeout_ms} ms")
                return ChannelFailure(kind=FailureKind.TIMEOUT, detail=detail)
            return Unknown(LostReason.TIMEOUT, words_of(f"no answer in {timeout_ms} ms"))
        except OSError as error:
            detail = words_of(f"{SH} cannot be started: {error}")
            short = error.errno in (errno.EMFILE, errno.ENFILE)
            kind = FailureKind.NO_DESCRIPTORS if short else FailureKind.INTERNAL
            return ChannelFailure(kind=kind, detail=detail)

    @asynccontextmanager
    async def stream(
        self, command: str, stdin: bytes
    ) -> AsyncIterator[ByteSource | ChannelFailure]:
        """Run a command and read its output as it comes, for as long as the block lasts."""
        async with self._processes or nullcontext(), _process(command) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(stdin)
            process.stdin.close()
            yield process.stdout


@asynccontextmanager
async def _process(command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A wrapper process in a group of its own, ended with the block. Raises OSError."""
    process = await processes.start(SH, "-c", command, stdin=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        await processes.end(process)


async def _collect(
    process: asyncio.subprocess.Process, stdin: bytes, limit: int
) -> Definite[Completed] | Unknown:
    assert process.stdin is not None
    assert process.stdout is not None
    writing = asyncio.create_task(_give(process.stdin, stdin))
    try:
        chunks: list[bytes] = []
        size = 0
        while chunk := await process.stdout.read(65_536):
            size += len(chunk)
            if size > limit:
                detail = words_of(f"more than {limit} bytes of output")
                return Unknown(LostReason.BAD_ANSWER, detail)
            chunks.append(chunk)
        status = await process.wait()
        return Definite(Completed(exit_status=status, stdout=b"".join(chunks)))
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def _give(stdin: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        stdin.write(data)
        await stdin.drain()
        stdin.close()


class LocalPort(ProgramPort):
    """An AgentPort for a program on this machine."""

    def __init__(
        self,
        agent: AgentName,
        spec: LocalAgent,
        *,
        directory: RunDirectory,
        probe_timeout_ms: int,
        now_ms: Callable[[], int],
        shell: LocalShell | None = None,
    ) -> None:
        super().__init__(
            agent,
            spec,
            directory=directory,
            probe_timeout_ms=probe_timeout_ms,
            now_ms=now_ms,
        )
        self._shell = shell or LocalShell()
        self._program = os.path.expanduser(spec.command[0])
        self._is_missing = False
        """Whether the last probe by the wrapper, which alone says why, found no program."""

    async def reach(self) -> Shell | SshFailure:
        """This machine is always there."""
        return self._shell

    async def probe(self) -> VitalsReading | ProbeFailure:
        """This machine's vitals, and whether the program can be executed."""
        due = not self._wrapper.is_known or self._fitness.is_due(self._shell)
        if due or self._is_missing or shutil.which(self._program) is None:
            found = await self._fitness.probe(self._shell)
            failed = found.kind if isinstance(found, ProbeFailure) else None
            self._is_missing = failed is FailureKind.COMMAND_MISSING
            # This machine answers, if late: the next probe determines what it can do.
            if isinstance(found, ProbeFailure) and failed is not FailureKind.TIMEOUT:
                return found
        unfit = self._fitness.unfit()
        return unfit if unfit is not None else await asyncio.to_thread(self._look)

    def _look(self) -> VitalsReading | ProbeFailure:
        began_s = time.perf_counter()
        free = _disk_free(Path(self._spec.run_dir).expanduser())
        full = None if free is None else disk_full(free / 1024)
        if full is not None:
            return ProbeFailure(
                agent=self._agent,
                observed_at_ms=self._now_ms(),
                kind=FailureKind.DISK_FULL,
                detail=full,
            )
        return VitalsReading(
            agent=self._agent,
            observed_at_ms=self._now_ms(),
            latency_ms=(time.perf_counter() - began_s) * 1000,
            boot_id=_boot_id(),
            cpu_percent=psutil.cpu_percent(interval=None),
            memory_percent=psutil.virtual_memory().percent,
            disk_free_bytes=free,
            load_average=psutil.getloadavg()[0],
            clock_skew_ms=0.0,
        )


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))


def _disk_free(path: Path) -> int | None:
    """Free bytes where ``path`` is or will be."""
    for place in (path, *path.parents):
        try:
            return psutil.disk_usage(str(place)).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
