"""Programs on this machine. What runs do is in test_runs; here is what is special to this place."""

import asyncio
from pathlib import Path

import psutil
import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import LocalAgent
from fleet_tui.core.ids import AgentName, Epoch
from fleet_tui.core.tasks.evidence import Definite, LostReason, Unknown
from fleet_tui.wire.port import AgentPort
from fleet_tui.wire.programs import wrapper
from fleet_tui.wire.programs.local import LocalPort, LocalShell, Room
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.shell import ChannelFailure, Completed
from tests.support.programs import aclosing, finished, order, read_log, until, wall_ms


def make_port(tmp_path: Path, *command: str, log_file: str | None = None) -> LocalPort:
    spec = LocalAgent(command=command, run_dir=str(tmp_path / "runs"), log_file=log_file)
    return LocalPort(
        AgentName("here"),
        spec,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=4_000,
        now_ms=wall_ms,
    )


async def test_the_port_does_what_every_agent_port_does(tmp_path: Path) -> None:
    port: AgentPort = make_port(tmp_path, "cat")
    assert isinstance(await port.start(order("hello")), Definite)
    assert (await finished(port, order("hello"))).answer.text.raw == "hello"
    await port.close()


async def test_a_probe_reads_this_machine(tmp_path: Path) -> None:
    found = await make_port(tmp_path, "cat").probe()
    assert isinstance(found, VitalsReading)
    assert found.boot_id
    assert found.disk_free_bytes
    assert found.memory_percent


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    found = await make_port(tmp_path, "no-such-program").probe()
    assert isinstance(found, ProbeFailure)
    assert found.kind is FailureKind.COMMAND_MISSING


async def test_a_disk_without_room_for_runs_takes_the_agent_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapper, "LEAST_FREE_KB", 10**15)
    found = await make_port(tmp_path, "cat").probe()
    assert isinstance(found, ProbeFailure)
    assert found.kind is FailureKind.DISK_FULL
    assert "MiB free" in found.detail.raw


async def test_a_question_that_takes_too_long_leaves_no_process() -> None:
    found = await LocalShell().run("sleep 301", timeout_ms=200)
    assert isinstance(found, Unknown)
    assert found.reason is LostReason.TIMEOUT
    await until(lambda: not running("sleep", "301"))


async def test_a_cancelled_question_leaves_no_process() -> None:
    asking = asyncio.create_task(LocalShell().run("sleep 302", timeout_ms=60_000))
    await until(lambda: running("sleep", "302"))
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until(lambda: not running("sleep", "302"))


async def test_the_wait_for_a_free_process_counts_for_a_question() -> None:
    room = Room(1)
    assert room.processes is not None
    shell = LocalShell(room)
    while not room.processes.locked():
        await room.processes.acquire()
    found = await asyncio.wait_for(shell.run("echo late", timeout_ms=100), 10)
    assert isinstance(found, ChannelFailure), "nothing was run"
    assert found.kind is FailureKind.TIMEOUT
    assert found.detail.raw == "no process was free within 100 ms"
    room.processes.release()
    assert isinstance(await shell.run("echo now", timeout_ms=60_000), Definite)


def running(*command: str) -> bool:
    """Whether this process has such a descendant; others on the machine do not count."""
    ours = psutil.Process().children(recursive=True)
    return any(is_running(process, command) for process in ours)


def is_running(process: psutil.Process, command: tuple[str, ...]) -> bool:
    try:
        return process.cmdline() == list(command) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


async def test_endless_output_is_cut_off() -> None:
    found = await LocalShell().run("yes", timeout_ms=60_000, max_output_bytes=100_000)
    assert isinstance(found, Unknown)
    assert found.reason is LostReason.BAD_ANSWER


async def test_a_command_that_does_not_want_its_input_still_ends() -> None:
    found = await LocalShell().run("exit 3", b"x" * 4_000_000, timeout_ms=60_000)
    assert found == Definite(Completed(exit_status=3))


async def test_the_wrapper_may_be_killed_and_the_run_goes_on(tmp_path: Path) -> None:
    port = make_port(tmp_path, "sh", "-c", "sleep 0.3; echo done")
    await port.start(order())
    following = asyncio.create_task(port.follow(order()))
    await asyncio.sleep(0)  # it asks now, and is interrupted while it does
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert (await finished(port, order())).answer.text.raw == "done\n"


async def test_the_log_of_a_local_program(tmp_path: Path) -> None:
    log = tmp_path / "log"
    port = make_port(tmp_path, "cat", log_file=str(log))
    async with aclosing(port.tail()) as lines:
        first = asyncio.create_task(read_log(lines, 2))
        await until(lambda: running("sleep", "1"))
        log.write_text("api_key=abcdef123456\nsecond\n")
        said = await first
        assert said[1] == "second"
        assert "abcdef" not in said[0]
