"""Programs on a host, over a real sshd that is treated badly."""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import CommandAgent, HostSpec
from fleet_tui.core.ids import AgentName, Epoch, HostName, TaskId
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.tasks.evidence import (
    Definite,
    LostReason,
    NotStarted,
    Running,
    Started,
    Unknown,
)
from fleet_tui.wire.programs.command import CommandPort, CpuShare
from fleet_tui.wire.programs.wrapper import RunDirectory
from fleet_tui.wire.ssh.pool import RENEW_AFTER_S, SshConnection, SshFailure, SshPool, TcpChannel
from tests.support.programs import (
    TASK,
    aclosing,
    executions,
    finished,
    order,
    read_log,
    settled,
    until,
    wall_ms,
)
from tests.support.sshd import Sshd, free_port, make_sshd

BOX = HostName("box")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    running = make_sshd(tmp_path / "sshd")
    yield running
    running.stop()


@asynccontextmanager
async def worker(
    spec: HostSpec, run_dir: Path, *command: str, log_file: Path | None = None
) -> AsyncIterator[CommandPort]:
    pool = SshPool({BOX: spec}, rng=random.Random(1), clock=time.monotonic)
    agent = CommandAgent(
        command=command,
        run_dir=str(run_dir),
        log_file=None if log_file is None else str(log_file),
    )
    port = CommandPort(
        AgentName("worker"),
        agent,
        BOX,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
    )
    try:
        yield port
    finally:
        await port.close()
        await pool.close()


@pytest.mark.sshd
async def test_a_run_from_start_to_answer(server: Sshd, tmp_path: Path) -> None:
    payload = "it's $(x) `y` \n" + "🦞" * 250_000
    async with worker(server.spec(), tmp_path / "runs", "sha256sum") as port:
        found = await port.start(order(payload))
        assert isinstance(found, Definite)
        assert isinstance(found.value, Started)
        ended = await finished(port, order(payload))
        assert ended.answer.text.raw.split()[0] == hashlib.sha256(payload.encode()).hexdigest()


@pytest.mark.sshd
async def test_a_connection_lost_while_it_runs_is_unknown_and_the_run_is_found_again(
    server: Sshd, tmp_path: Path
) -> None:
    go, ledger = tmp_path / "go", tmp_path / "ledger"
    script = f"echo ran >> {ledger}; until [ -f {go} ]; do sleep 0.05; done; echo done"
    async with worker(server.spec(), tmp_path / "runs", "sh", "-c", script) as port:
        await port.start(order())
        following = asyncio.create_task(port.follow(order()))
        await until(lambda: executions(ledger) == 1)
        server.kill_sessions()
        lost = await following
        assert isinstance(lost, Unknown)
        assert lost.reason is LostReason.CONNECTION_LOST
        found = await settled(port, order())
        assert isinstance(found, Definite)
        assert isinstance(found.value, Running)
        go.touch()
        assert (await finished(port, order())).answer.text.raw == "done\n"
        assert executions(ledger) == 1


@pytest.mark.sshd
async def test_connections_killed_at_any_moment_never_start_a_run_twice(
    server: Sshd, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    rng = random.Random(7)
    script = f"read id; echo $id >> {ledger}"
    started = set()
    for attempt in range(1, 9):
        # A new pool each time: one that loses its connections waits longer and longer.
        async with worker(server.spec(), tmp_path / "runs", "sh", "-c", script) as port:
            await port.probe()
            what = order(f"{attempt}\n", attempt)
            starting = asyncio.create_task(port.start(what))
            await asyncio.sleep(rng.uniform(0, 0.25))  # the moment is the point, not the length
            server.kill_sessions()
            await starting
            found = await settled(port, what)
            assert isinstance(found, Definite)
            if not isinstance(found.value, NotStarted):
                await finished(port, what)
                started.add(str(attempt))
    ran = ledger.read_text().split() if ledger.exists() else []
    assert len(ran) == len(set(ran))
    assert set(ran) == started


@pytest.mark.sshd
async def test_what_login_files_print_is_skipped(server: Sshd, tmp_path: Path) -> None:
    noise = "printf 'Welcome\\nstate done 0 0 0 x\\nend\\n'; eval \"$SSH_ORIGINAL_COMMAND\""
    (tmp_path / "noisy").write_text(noise)
    server.allow(f'command="sh {tmp_path}/noisy"')
    async with worker(server.spec(), tmp_path / "runs", "cat") as port:
        await port.start(order("hello"))
        assert (await finished(port, order("hello"))).answer.text.raw == "hello"


@pytest.mark.sshd
async def test_a_probe_tells_how_the_host_is(server: Sshd, tmp_path: Path) -> None:
    async with worker(server.spec(), tmp_path / "runs", "cat") as port:
        await port.probe()
        found = await port.probe()
        assert isinstance(found, VitalsReading)
        assert found.ready
        assert found.latency_ms > 0
        assert found.boot_id
        assert found.disk_free_bytes
        assert found.load_average is not None
        assert found.memory_percent is not None
        assert 0 < found.memory_percent < 100
        assert found.clock_skew_ms is not None
        assert abs(found.clock_skew_ms) < 60_000


@pytest.mark.sshd
async def test_a_program_that_is_not_there(server: Sshd, tmp_path: Path) -> None:
    async with worker(server.spec(), tmp_path / "runs", "no-such-program") as port:
        found = await port.probe()
        assert isinstance(found, ProbeFailure)
        assert found.kind is FailureKind.COMMAND_MISSING
        assert found.detail.raw == "no-such-program is not on the host's PATH"
        await port.start(order())
        assert (await finished(port, order())).failure == "command-missing"


@pytest.mark.sshd
async def test_what_is_there_and_is_no_program(server: Sshd, tmp_path: Path) -> None:
    async with worker(server.spec(), tmp_path / "runs", str(tmp_path)) as port:
        found = await port.probe()
        assert isinstance(found, ProbeFailure)
        assert found.kind is FailureKind.COMMAND_MISSING
        assert found.detail.raw == f"{tmp_path} is a directory"


@pytest.mark.sshd
async def test_a_key_that_may_run_nothing_is_no_lost_work(server: Sshd, tmp_path: Path) -> None:
    server.allow('command="/bin/false"')
    async with worker(server.spec(), tmp_path / "runs", "cat") as port:
        found = await port.probe()
        assert isinstance(found, ProbeFailure)
        assert found.kind is FailureKind.BAD_ANSWER
        answer = await port.start(order())
        assert isinstance(answer, Definite)
        assert isinstance(answer.value, NotStarted)


@pytest.mark.sshd
@pytest.mark.parametrize("others", [False, True], ids=["alone", "beside-a-gateway"])
async def test_a_host_that_runs_something_else_is_connected_to_anew_until_it_is_mended(
    server: Sshd, tmp_path: Path, others: bool
) -> None:
    """sshd reads keys' options and a user's shell once for each connection. One through which a
    gateway is reached stays."""
    now_s = 1_000.0
    lost: list[tuple[HostName, SshFailure]] = []
    pool = SshPool(
        {BOX: server.spec()},
        rng=random.Random(1),
        clock=lambda: now_s,
        on_lost=lambda host, failure: lost.append((host, failure)),
    )
    port = CommandPort(
        AgentName("worker"),
        CommandAgent(command=("cat",), run_dir=str(tmp_path / "runs")),
        BOX,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=20_000,
        now_ms=wall_ms,
    )
    try:
        server.allow('command="echo something else"')
        for _ in range(2):
            found = await port.probe()
            assert isinstance(found, ProbeFailure)
            assert "something else" in found.detail.raw
        connection = await pool.connect(BOX)
        assert isinstance(connection, SshConnection)
        if others:
            assert isinstance(await connection.open_tcp(server.port), TcpChannel)
        server.allow()
        now_s += RENEW_AFTER_S - 1
        await port.probe()
        assert await pool.connect(BOX) is connection
        now_s += 1
        await port.probe()
        found = await port.probe()
        assert isinstance(found, ProbeFailure if others else VitalsReading)
        assert connection.given_up is not others
        assert lost == []
    finally:
        await pool.close()


async def test_a_host_that_is_gone_starts_nothing(tmp_path: Path) -> None:
    spec = HostSpec(name=BOX, address="127.0.0.1", port=free_port(), use_ssh_config=False)
    async with worker(spec, tmp_path, "cat") as port:
        probed = await port.probe()
        assert isinstance(probed, ProbeFailure)
        assert probed.kind is FailureKind.SSH_UNREACHABLE
        found = await port.start(order())
        assert isinstance(found, Definite)
        assert isinstance(found.value, NotStarted)
        for asked in (port.inspect, port.follow, port.cancel, port.fence):
            answer = await asked(order())
            assert isinstance(answer, Unknown)
            assert answer.reason is LostReason.UNREACHABLE


@pytest.mark.sshd
async def test_many_runs_on_one_host_share_few_sessions(server: Sshd, tmp_path: Path) -> None:
    async with worker(server.spec(), tmp_path / "runs", "cat") as port:
        orders = [order(str(attempt), attempt) for attempt in range(1, 15)]
        # Each of them is the first to ask, at the same moment.
        for answer in await asyncio.gather(*(port.start(what) for what in orders)):
            assert isinstance(answer, Definite)
            assert isinstance(answer.value, Started)
        ended = await asyncio.gather(*(finished(port, what) for what in orders))
        assert [one.answer.text.raw for one in ended] == [str(n) for n in range(1, 15)]


@pytest.mark.sshd
async def test_a_log_goes_on_at_the_next_byte(server: Sshd, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    log.write_text("before we looked\n")
    async with worker(server.spec(), tmp_path / "runs", "cat", log_file=log) as port:
        await port.start(order())
        async with aclosing(port.tail()) as lines:
            first = asyncio.create_task(read_log_line(lines))
            await until(lambda: reading(server))
            with log.open("a") as file:
                file.write(f"ERROR one trace={order().trace_id}\ntwo \x1b]0;x\n")
            line = await first
            assert isinstance(line, LogLine)
            assert line.level is Level.ERROR
            assert line.task == TaskId(TASK)
            assert line.source == "worker"
            assert await read_log(lines, 1) == ["two \x1b]0;x"]
            server.kill_sessions()
            with log.open("ab") as file:
                file.write(b"three \xff\n" + b"4" * 300_000 + b"\nfive\n")
            assert (await read_log(lines, 1)) == ["three \\xff"]
            long, five = await read_log(lines, 2)
            assert len(long) <= 4_096
            assert "…(+" in long
            assert five == "five"


async def read_log_line(lines: AsyncIterator[LogLine | LogGap]) -> LogLine | LogGap:
    return await anext(lines)


def reading(server: Sshd) -> bool:
    """Whether a watcher behind this server has seen the whole log and waits for more."""
    return any(waits_a_second(process) for process in server.descendants())


def waits_a_second(process: psutil.Process) -> bool:
    try:
        return process.cmdline() == ["sleep", "1"]
    except psutil.Error:
        return False


@pytest.mark.sshd
async def test_a_log_that_is_moved_or_cut_short(server: Sshd, tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    async with (
        worker(server.spec(), tmp_path / "runs", "cat", log_file=log) as port,
        aclosing(port.tail()) as lines,
    ):
        first = asyncio.create_task(read_log(lines, 1))
        await until(lambda: reading(server))
        log.write_text("one\n")
        assert await first == ["one"]
        with log.open("a") as file:
            file.write("two\n")
        log.rename(tmp_path / "agent.log.1")
        log.write_text("three\n")
        assert await read_log(lines, 2) == ["two", "three"]
        log.write_text("4\n")
        assert await read_log(lines, 2) == ["gap: log truncated", "4"]
        (tmp_path / "new").write_text("five\n")
        (tmp_path / "new").rename(log)
        assert await read_log(lines, 2) == ["gap: log rotated", "five"]


async def test_without_a_log_file_there_is_nothing_to_tail(tmp_path: Path) -> None:
    spec = HostSpec(name=BOX, address="127.0.0.1", port=free_port(), use_ssh_config=False)
    async with worker(spec, tmp_path, "cat") as port:
        assert [line async for line in port.tail()] == []


def test_how_busy_a_host_was_between_two_looks() -> None:
    share = CpuShare()
    assert share.percent(("10", "0", "10", "80", "0")) is None
    assert share.percent(("20", "0", "20", "160", "0")) == pytest.approx(20)
    assert share.percent(()) is None


@pytest.mark.parametrize(
    "strange",
    [
        ("9" * 400, "1", "1", "1", "1"),
        ("1", "1", "1", "1", "9" * 4_500),
        ("20", "0", "20", "160", "²"),
        ("20", "0", "20", "160", "0", "²"),
    ],
)
def test_counters_that_cannot_be_are_none(strange: tuple[str, ...]) -> None:
    share = CpuShare()
    share.percent(("10", "0", "10", "80", "0"))
    assert share.percent(strange) is None
    assert share.percent(("20", "0", "20", "160", "0")) == pytest.approx(20)
