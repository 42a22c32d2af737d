"""What a host tells of itself in numbers, and which of them are believed."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import VitalsReading
from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, Epoch, HostName
from fleet_tui.core.tasks.evidence import Definite
from fleet_tui.journal.directory import prepare
from fleet_tui.journal.telemetry.samples import SampleWriter
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.shell import ByteSource, ChannelFailure, Completed, RunResult
from fleet_tui.wire.ssh.failures import SshFailure

NOW_MS = 1_795_201_000_000
DIGITS = "9" * 400


class Host:
    """A pool whose one host answers every look with the next of these lines."""

    def __init__(self, *answers: str) -> None:
        self.long_polls = self.log_streams = asyncio.Semaphore(1)
        self._answers = list(answers)

    async def connect(self, host: HostName) -> "Host":
        return self

    def why_not(self, host: HostName) -> SshFailure | None:
        return None

    def judge(self, host: HostName, *, works: bool) -> None:
        pass

    async def run(
        self, command: str, stdin: bytes = b"", *, timeout_ms: int, max_output_bytes: int = 0
    ) -> RunResult:
        told = f"fleet-protocol: 1\nstate ok\n{self._answers.pop(0)}\nend\n"
        return Definite(Completed(exit_status=0, stdout=told.encode()))

    def stream(
        self, command: str, stdin: bytes
    ) -> AbstractAsyncContextManager[ByteSource | ChannelFailure]:
        raise AssertionError("a look reads no stream")


async def seen(*answers: str) -> VitalsReading:
    """The last of so many looks."""
    port = CommandPort(
        AgentName("worker"),
        CommandAgent(command=("cat",)),
        HostName("box"),
        Host(*answers),
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=5_000,
        now_ms=lambda: NOW_MS,
    )
    probes = [await port.probe() for _ in answers]
    assert isinstance(probes[-1], VitalsReading)
    return probes[-1]


async def test_what_can_be_is_believed() -> None:
    found = await seen(f"disk 100000\nMemTotal: 4\nMemAvailable: 1\nload 0.5\ntime {NOW_MS + 5000}")
    assert found.disk_free_bytes == 102_400_000
    assert (found.memory_percent, found.load_average) == (75.0, 0.5)
    assert found.clock_skew_ms == pytest.approx(5_000, abs=1_000)


@pytest.mark.parametrize(
    "told",
    [
        "disk 1e300",
        "disk -1e20",
        f"disk {2**52}",
        f"disk {DIGITS}",
        "load -1",
        "load 1e300",
        "time 1e308",
        "time -5",
        "MemTotal: 0\nMemAvailable: 0",
        "MemTotal: 4\nMemAvailable: -1",
        "MemTotal: 4\nMemAvailable: 1e300",
        f"cpu {DIGITS} 1 1 1 1",
    ],
)
async def test_what_cannot_be_is_not_known(told: str) -> None:
    found = await seen(told, told)
    numbers = (found.disk_free_bytes, found.load_average, found.clock_skew_ms)
    assert (*numbers, found.memory_percent, found.cpu_percent) == (None,) * 5


@pytest.mark.parametrize(
    ("told", "percent"),
    [("MemTotal: 1e-300\nMemAvailable: 9e15", 0), ("MemTotal: 1\nMemAvailable: 2", 0)],
)
async def test_memory_is_a_share(told: str, percent: int) -> None:
    assert (await seen(told)).memory_percent == percent


async def test_the_largest_numbers_that_are_believed_can_be_stored(tmp_path: Path) -> None:
    most = 2**53
    found = await seen(f"disk {2**43}\nload {most}\ntime {most}\nMemTotal: 1\nMemAvailable: {most}")
    assert found.disk_free_bytes == most
    prepare(tmp_path)
    writer = await SampleWriter.open(tmp_path)
    writer.add([found])
    await writer.flush()
    assert (writer.newest_id, writer.failure) == (1, "")
    await writer.close()
