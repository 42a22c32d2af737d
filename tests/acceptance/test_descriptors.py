"""An engine with fewer file descriptors than hosts: it works with as many agents as it has
descriptors for, takes submits, and says what it leaves out. Nothing of that is damage."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.base.errors import ExitCode
from fleet_tui.core.agents.model import Health
from fleet_tui.core.modes import EngineMode, Trouble
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.journal.ledger.verifying import verify
from tests.acceptance.rig import PROGRAM, MakeRig, Rig
from tests.support.sshd import Sshd, make_sshd

LIMIT = 64
HOSTS = 100
LEAST_UP = 12
LISTENERS = 15
"""Addresses of one sshd, which takes 16 at the most."""
LIMITED = (
    "import os, resource, sys;"
    "n = int(sys.argv[1]);"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (n, n));"
    "os.execv(sys.argv[2], sys.argv[2:])"
)

pytestmark = [pytest.mark.sshd, pytest.mark.slow, pytest.mark.timeout(300)]


def address(number: int) -> str:
    return f"127.0.2.{number}"


def limited(rig: Rig, limit: int) -> None:
    """Have its engine started as by a shell with ``ulimit -n``."""
    rig.program = (sys.executable, "-c", LIMITED, str(limit), *PROGRAM)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Sshd]:
    """HOSTS addresses of this machine that answer, with the keys of the one that is returned."""
    if not sys.platform.startswith("linux"):
        pytest.skip("only here every 127.x.y.z is this machine")
    first = make_sshd(tmp_path / "sshd")
    running = [first]
    try:
        for begin in range(1, HOSTS + 1, LISTENERS):
            numbers = range(begin, min(begin + LISTENERS, HOSTS + 1))
            more = "\n".join(f"ListenAddress {address(n)}:{first.port}" for n in numbers[1:])
            extra = f"MaxStartups 200\n{more}"
            server = Sshd(first.directory, first.port, extra, address(begin))
            server.start()
            running.append(server)
        key = first.known_hosts.read_text().split(" ", 1)[1]
        first.known_hosts.write_text(
            "".join(f"[{address(n)}]:{first.port} {key}" for n in range(1, HOSTS + 1))
        )
        yield first
    finally:
        for server in running:
            server.stop()


def fleet_text(server: Sshd, base: Path) -> str:
    spec = server.spec()
    hosts = "".join(
        f"  h{n}: {{address: {address(n)}, port: {server.port}}}\n" for n in range(1, HOSTS + 1)
    )
    agents = "".join(f"  a{n}: {{host: h{n}, command: [cat]}}\n" for n in range(1, HOSTS + 1))
    return (
        "defaults:\n"
        f"  kind: command\n  user: {spec.user}\n  identity: {spec.identity}\n"
        f"  known_hosts: {spec.known_hosts}\n  ssh_config: false\n"
        f"  run_dir: {base}/runs\n  probe: {{every: 1s, timeout: 5s}}\n"
        f"hosts:\n{hosts}agents:\n{agents}"
    )


async def test_with_64_descriptors_and_100_hosts_the_engine_works_and_says_what_it_leaves_out(
    make_rig: MakeRig, short_dir: Path, servers: Sshd
) -> None:
    rig = make_rig(fleet_text(servers, short_dir))
    limited(rig, LIMIT)
    rig.start()
    await rig.until(
        lambda: Trouble.AGENTS_NOT_PROBED in rig.state().engine.troubles, 60, "it is said"
    )

    def up() -> int:
        return sum(a.health is Health.UP for a in rig.state().agents.values())

    await rig.until(lambda: up() >= LEAST_UP, 60, "as many as possible are up")
    for number in range(8):
        rig.submit(f"task {number}")
    await rig.until(
        lambda: [t.phase for t in rig.tasks()].count(TaskPhase.SUCCEEDED) == 8,
        60,
        "the tasks are done",
    )
    status = json.loads(rig.cli("status", str(rig.file), "--json").stdout)
    assert status["engine"]["mode"] == EngineMode.NORMAL.value
    text = rig.cli("status", str(rig.file)).stdout.decode()
    assert f"of {HOSTS} agents are not probed: file descriptors run out" in text
    assert f"(limit {LIMIT})" in text
    assert "ulimit -n" in text
    doctor = rig.cli("doctor", str(rig.file)).stdout.decode()
    assert "agents are not probed" in doctor
    assert "restore" not in text + doctor
    assert not any(a.health.is_lost for a in rig.state().agents.values())
    assert not rig.state().braked_pools
    assert "Too many open files" not in rig.said()
    assert rig.cli("stop", str(rig.file)).returncode == ExitCode.OK
    assert rig.process is not None
    assert rig.process.wait(30) == 0
    rig.process = None
    assert verify(rig.directory).intact


async def test_too_few_descriptors_to_work_at_all_is_said_at_the_start(
    make_rig: MakeRig, short_dir: Path
) -> None:
    rig = make_rig(f"agents:\n  a: {{kind: local, run_dir: {short_dir}/runs, command: [cat]}}\n")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, "30", *PROGRAM, "engine", str(rig.file)],
        env=rig.env,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == ExitCode.FAILED
    assert b"at least" in ended.stderr
    assert b"file descriptors" in ended.stderr
    assert b"restore" not in ended.stderr
    assert b"Traceback" not in ended.stderr


async def test_a_soft_limit_is_raised_to_the_hard_one(make_rig: MakeRig, short_dir: Path) -> None:
    from fleet_tui.engine.descriptors import raised_limit

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
        assert raised_limit() > 128
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
