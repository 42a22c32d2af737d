"""Looking at an agent over SSH: our CPU for a probe, beside OpenSSH asking the same question.

A real sshd stands between; the gateway runs in a process of its own. Both sides ask ``GET /readyz``
over a connection that was made before: we on the channel kept for it, ``ssh -W`` on its
ControlMaster, which is how a script would do it.
"""

import asyncio
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from fleet_tui.core.agents.vitals import VitalsReading
from fleet_tui.core.fleet import AgentSpec, HostSpec, OpenClawAgent, ProbeSpec
from fleet_tui.core.ids import AgentName, HostName, PoolName
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.http import HttpAnswer, KeptHttp
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.ssh.connection import SshConnection
from fleet_tui.wire.ssh.pool import SshPool
from tests.bench.frame import Row, Unavailable, at_least, at_most, percentile
from tests.support.gateway_server import TOKEN, gateway_process
from tests.support.needs import no_sshd
from tests.support.sshd import Sshd, make_sshd
from tests.support.surroundings import short_dir

PROBES = 2_000
ASKED_BY_SSH = 60
HANDSHAKES = 40
HOST = HostName("box")
ASK = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


class Spent:
    """CPU and wall time since it was made, of this process and of children that ended."""

    def __init__(self) -> None:
        self._cpu_s, self._wall_s = self._both()

    @staticmethod
    def _both() -> tuple[float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = time.process_time() + children.ru_utime + children.ru_stime
        return cpu_s, time.perf_counter()

    def us_each(self, times: int) -> float:
        """CPU microseconds for one of ``times``."""
        return 1e6 * (self._both()[0] - self._cpu_s) / times


@contextmanager
def server() -> Iterator[Sshd]:
    """A real sshd, or Unavailable."""
    if (reason := no_sshd()) is not None:
        raise Unavailable(reason)
    directory = short_dir()
    sshd = make_sshd(directory / "sshd", "MaxStartups 100:30:200\nMaxSessions 100")
    try:
        yield sshd
    finally:
        sshd.stop()
        shutil.rmtree(directory, ignore_errors=True)


def probes() -> Iterator[Row]:
    """Probes over kept connections."""
    with server() as sshd, gateway_process() as port:
        master_us, master_ms = through_control_master(sshd, port)
        line_us, probe_us, probe_ms = asyncio.run(through_the_pool(sshd, port))
    peer = "ssh -W through its ControlMaster"
    yield Row(
        name="probe of an agent, CPU all-in",
        figure=probe_us,
        unit="µs",
        peer_name=peer,
        peer=master_us,
        target=at_most(125),
    )
    yield Row(
        name="probes of agents per CPU-second",
        figure=1e6 / probe_us,
        unit="/s",
        peer_name=peer,
        peer=1e6 / master_us,
        target=at_least(8_000),
    )
    yield Row(
        name="GET /readyz on the kept channel, CPU",
        figure=line_us,
        unit="µs",
        peer_name=peer,
        peer=master_us,
    )
    yield Row(
        name="probe, p50 of one after the other",
        figure=percentile(probe_ms, 50),
        unit="ms",
        peer_name=peer,
        peer=percentile(master_ms, 50),
    )


def handshakes() -> Iterator[Row]:
    """Making a connection, beside ``ssh`` making one."""
    with server() as sshd:
        alone = Spent()
        for _ in range(HANDSHAKES // 4):
            subprocess.run([*ssh(sshd), "box", "true"], check=True, capture_output=True)
        theirs_us = alone.us_each(HANDSHAKES // 4)
        ours_us = asyncio.run(connect_often(sshd))
    yield Row(
        name="handshake, CPU",
        figure=ours_us / 1_000,
        unit="ms",
        peer_name="ssh box true, cold",
        peer=theirs_us / 1_000,
        target=at_most(2.6),
    )


def connection_memory() -> Iterator[Row]:
    """What a kept connection holds here, beside an OpenSSH master that keeps one."""
    with server() as sshd:
        with control_master(sshd) as (_, master):
            theirs = master.memory_info().rss
        ours = in_a_fresh_process(sshd)
    yield Row(
        name="memory of a kept connection",
        figure=ours / 1_024,
        unit="KiB",
        peer_name="ssh ControlMaster process",
        peer=theirs / 1_024,
        target=at_most(100),
    )


def in_a_fresh_process(sshd: Sshd) -> float:
    """Bytes of one more connection where no memory was freed before that it could use again."""
    code = (
        "import asyncio, sys; from pathlib import Path; from tests.bench import probes; "
        "sshd = probes.Sshd(Path(sys.argv[1]), int(sys.argv[2])); "
        "print(asyncio.run(probes.memory_of_connections(sshd, 50)))"
    )
    command = [sys.executable, "-c", code, str(sshd.directory), str(sshd.port)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


async def through_the_pool(sshd: Sshd, port: int) -> tuple[float, float, list[float]]:
    """CPU of a bare question, of a whole probe, and the probes' latencies."""
    pool = pool_of({HOST: sshd.spec(HOST)})
    try:
        dial = dial_over_ssh(pool, HOST, port)
        http = KeptHttp(dial)

        async def ask() -> None:
            assert isinstance(await http.get("/readyz"), HttpAnswer)

        agent = AgentSpec(
            name=AgentName("agent-01"),
            pool=PoolName("lab"),
            host=HOST,
            kind=OpenClawAgent(port=port, token="unused"),
            probe=ProbeSpec(every_ms=5_000, timeout_ms=5_000),
        )
        openclaw = OpenClawPort(
            agent, dial=dial, token=token, clock=epoch_ms, is_owner=lambda: True
        )

        async def probe() -> None:
            found = await openclaw.probe()
            assert isinstance(found, VitalsReading), found

        line_us, _ = await again_and_again(ask)
        probe_us, latencies = await again_and_again(probe)
        http.close()
        await openclaw.close()
    finally:
        await pool.close()
    return line_us, probe_us, latencies


async def again_and_again(call: Callable[[], Awaitable[None]]) -> tuple[float, list[float]]:
    """CPU and latencies, the first call not counted: it opens the channel."""
    await call()
    spent, took_ms = Spent(), []
    for _ in range(PROBES):
        began_s = time.perf_counter()
        await call()
        took_ms.append(1_000 * (time.perf_counter() - began_s))
    return spent.us_each(PROBES), took_ms


async def connect_often(sshd: Sshd) -> float:
    """CPU of one connection in a pool that has read its files once."""
    hosts = {
        (name := HostName(f"box-{n}")): sshd.spec(name, jump=None) for n in range(HANDSHAKES + 1)
    }
    pool = pool_of(hosts)
    try:
        first, *rest = hosts
        await connected(pool, first)
        spent = Spent()
        for name in rest:
            await connected(pool, name)
        return spent.us_each(HANDSHAKES)
    finally:
        await pool.close()


async def memory_of_connections(sshd: Sshd, count: int) -> float:
    """Bytes that one more connection adds."""
    hosts = {(name := HostName(f"box-{n}")): sshd.spec(name) for n in range(count + 5)}
    pool = pool_of(hosts)
    process = psutil.Process()
    try:
        names = list(hosts)
        for name in names[:5]:
            await connected(pool, name)
        before = process.memory_info().rss
        for name in names[5:]:
            await connected(pool, name)
        return (process.memory_info().rss - before) / count
    finally:
        await pool.close()


async def connected(pool: SshPool, name: HostName) -> None:
    found = await pool.connect(name)
    assert isinstance(found, SshConnection), found


def pool_of(hosts: dict[HostName, HostSpec]) -> SshPool:
    return SshPool(hosts, rng=random.Random(1), clock=time.monotonic)


async def token() -> str:
    return TOKEN


def epoch_ms() -> int:
    return time.time_ns() // 1_000_000


def ssh(sshd: Sshd, *more: str) -> list[str]:
    """The ``ssh`` program, told everything our own pool is told."""
    options = {
        "HostName": "127.0.0.1",
        "Port": sshd.port,
        "IdentityFile": sshd.user_key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": sshd.known_hosts,
        "BatchMode": "yes",
        "LogLevel": "ERROR",
    }
    told = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "none", *told, *more]


@contextmanager
def control_master(sshd: Sshd) -> Iterator[tuple[Path, psutil.Process]]:
    """A master connection in the foreground of a process of its own, and its socket."""
    with tempfile.TemporaryDirectory(dir=sshd.directory) as directory:
        path = Path(directory) / "ctl"
        command = [*ssh(sshd, "-M", "-S", str(path), "-N"), "box"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            try:
                while subprocess.run(
                    [*ssh(sshd, "-S", str(path), "-O", "check"), "box"],
                    capture_output=True,
                    check=False,
                ).returncode:
                    assert process.poll() is None, "the master ended"
                yield path, psutil.Process(process.pid)
            finally:
                process.terminate()


def through_control_master(sshd: Sshd, port: int) -> tuple[float, list[float]]:
    """CPU of one question, the master's own included, and the latencies."""
    took_ms = []
    with control_master(sshd) as (path, master):
        before = master.cpu_times()
        spent = Spent()
        for _ in range(ASKED_BY_SSH):
            began_s = time.perf_counter()
            said = ask_once([*ssh(sshd, "-S", str(path), "-W", f"127.0.0.1:{port}"), "box"])
            took_ms.append(1_000 * (time.perf_counter() - began_s))
            assert b" 200 " in said, said
        us = spent.us_each(ASKED_BY_SSH)
        after = master.cpu_times()
        mine = after.user + after.system - before.user - before.system
    return us + 1e6 * mine / ASKED_BY_SSH, took_ms


def ask_once(command: list[str]) -> bytes:
    """Send the question, keep the way open, read until the gateway has answered and closed."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(ASK)
        process.stdin.flush()
        return process.stdout.read()
