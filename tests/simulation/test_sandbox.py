"""The sandbox is a real SSH server: these tests talk to it with a real SSH client."""

import asyncio
import random
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import msgspec
import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.fleet import (
    AgentSpec,
    CommandAgent,
    FleetSpec,
    HostSpec,
    LocalAgent,
    OpenClawAgent,
    PoolSpec,
    ProbeSpec,
)
from fleet_tui.core.ids import AgentName, Epoch, HostName, PoolName, Region
from fleet_tui.core.routing.requirement import Roster
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    Running,
    RunOrder,
    Started,
    Stopped,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.demo.sandbox import LOOPBACK, Sandbox, SandboxError, wall_clock_ms
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import COMMAND, SCRIPT, RunDirectory
from fleet_tui.wire.ssh.pool import SshPool

POOL = PoolName("general")
CLAW, OTHER, TOOL = AgentName("claw"), AgentName("other"), AgentName("tool")
HOST, FAR = HostName("gw-eu-1"), HostName("gw-us-1")


def declared() -> FleetSpec:
    """Two gateways and a program on two hosts, as a fleet file would say it."""
    gateway = OpenClawAgent(port=18789, token="secret:env:NOBODY", start_command="start claw")
    program = CommandAgent(command=("rm", "-rf", "/nowhere"))
    agents = [
        AgentSpec(name=CLAW, pool=POOL, kind=gateway, host=HOST, region=Region("eu"), slots=2),
        AgentSpec(
            name=OTHER,
            pool=POOL,
            kind=gateway,
            host=FAR,
            region=Region("us"),
            probe=ProbeSpec(timeout_ms=300),
        ),
        AgentSpec(name=TOOL, pool=POOL, kind=program, host=HOST, region=Region("eu")),
        AgentSpec(name=AgentName("here"), pool=POOL, kind=LocalAgent(command=("false",))),
    ]
    return FleetSpec(
        name="test",
        hosts={name: HostSpec(name=name, address=f"{name}.example.net") for name in (HOST, FAR)},
        pools={POOL: PoolSpec(name=POOL)},
        agents={agent.name: agent for agent in agents},
    )


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(declared(), seed=7, speed=50, directory=tmp_path / "box") as sandbox:
        yield sandbox


@pytest.fixture
async def pool(sandbox: Sandbox) -> AsyncIterator[SshPool]:
    fleet = sandbox.rewrite(sandbox.fleet)
    pool = SshPool(fleet.hosts, rng=random.Random(1), clock=time.monotonic)
    yield pool
    await pool.close()


def gateway_port(sandbox: Sandbox, pool: SshPool, agent: AgentName) -> OpenClawPort:
    """The real client for an agent of the sandbox."""
    spec = sandbox.rewrite(sandbox.fleet).agents[agent]
    assert isinstance(spec.kind, OpenClawAgent)
    assert spec.host is not None
    token_file = Path(spec.kind.token.removeprefix("secret:file:"))

    async def token() -> str | ProbeFailure:
        return token_file.read_text().strip()

    dial = dial_over_ssh(pool, spec.host, spec.kind.port)
    return OpenClawPort(spec, dial=dial, token=token, clock=wall_clock_ms, is_owner=lambda: True)


@pytest.fixture
async def claw(sandbox: Sandbox, pool: SshPool) -> AsyncIterator[OpenClawPort]:
    port = gateway_port(sandbox, pool, CLAW)
    yield port
    await port.close()


@pytest.fixture
async def tool(sandbox: Sandbox, pool: SshPool) -> AsyncIterator[CommandPort]:
    kind = sandbox.rewrite(sandbox.fleet).agents[TOOL].kind
    assert isinstance(kind, CommandAgent)
    port = CommandPort(
        TOOL,
        kind,
        HOST,
        pool,
        directory=RunDirectory(Epoch(1)),
        probe_timeout_ms=10_000,
        now_ms=wall_clock_ms,
    )
    yield port
    await port.close()


def order(number: int = 1) -> RunOrder:
    return RunOrder(
        run_id=f"TASK{number}.1",
        task_id=f"TASK{number}",
        attempt=1,
        payload=Untrusted("Compare both price lists"),
        label=f"t-{number}",
        start_to_close_ms=600_000,
        trace_id="ab" * 16,
    )


async def failing_probe(port: OpenClawPort | CommandPort) -> ProbeFailure:
    look = await port.probe()
    assert isinstance(look, ProbeFailure), look
    return look


async def good_probe(port: OpenClawPort | CommandPort) -> VitalsReading:
    """Probe until it is answered and ready."""
    while True:
        look = await port.probe()
        if isinstance(look, VitalsReading) and look.ready:
            return look
        await asyncio.sleep(0.01)


async def connect(sandbox: Sandbox, **changes: object) -> asyncssh.SSHClientConnection:
    host = sandbox.rewrite(sandbox.fleet).hosts[HOST]
    options: dict[str, object] = {
        "host": host.address,
        "port": host.port,
        "username": host.user,
        "client_keys": [host.identity],
        "known_hosts": host.known_hosts,
        "config": None,
        "agent_path": None,
        **changes,
    }
    return await asyncssh.connect(**options)


async def test_everything_private_stays_private(sandbox: Sandbox) -> None:
    assert stat.S_IMODE(sandbox.directory.stat().st_mode) == 0o700
    for path in sandbox.directory.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        wanted = 0o700 if path.is_dir() or path.name == "work" else 0o600
        assert mode == wanted, path


async def test_the_rewritten_fleet_reaches_nothing_else(sandbox: Sandbox) -> None:
    before = sandbox.fleet
    after = sandbox.rewrite(before)
    for host in after.hosts.values():
        assert (host.address, host.port, host.use_ssh_config) == (LOOPBACK, sandbox.port, False)
        assert host.user == host.name
        assert host.jump is None
    for agent in after.agents.values():
        assert agent.name in before.agents
        kind = agent.kind
        if isinstance(kind, OpenClawAgent):
            assert kind.token.startswith(f"secret:file:{sandbox.directory}")
        else:
            assert kind.command[0].startswith(str(sandbox.directory))
            assert kind.run_dir.startswith(str(sandbox.directory))
    same = msgspec.structs.replace(after, hosts=before.hosts, agents=before.agents)
    assert same == before


async def test_only_agents_of_one_gateway_share_a_lane(sandbox: Sandbox) -> None:
    fleet = sandbox.rewrite(sandbox.fleet)
    assert Roster(fleet).sharing == {}, "one address for all hosts makes no two gateways one"
    second = msgspec.structs.replace(sandbox.fleet.agents[CLAW], name=AgentName("second"))
    of_one = {**sandbox.fleet.agents, second.name: second}
    async with Sandbox(msgspec.structs.replace(sandbox.fleet, agents=of_one)) as other:
        shared = Roster(other.rewrite(other.fleet)).sharing
    assert shared == dict.fromkeys((CLAW, second.name), (CLAW, second.name))


async def test_wrong_users_and_keys_are_turned_away(sandbox: Sandbox) -> None:
    async with await connect(sandbox) as connection:
        assert connection.get_extra_info("username") == HOST
    with pytest.raises(asyncssh.PermissionDenied):
        await connect(sandbox, username="nobody")
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await connect(sandbox, client_keys=[stranger])
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await connect(sandbox, known_hosts=asyncssh.import_known_hosts(""))


async def test_a_forwarded_port_is_the_gateway_of_that_host_alone(sandbox: Sandbox) -> None:
    async with await connect(sandbox) as connection:
        reader, writer = await connection.open_connection(LOOPBACK, 18789, encoding=None)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'{"ok":true,"status":"live"}' in await reader.read()
        writer.close()
        for host, port in ((LOOPBACK, 18790), ("192.0.2.7", 18789)):
            with pytest.raises(asyncssh.ChannelOpenError) as refused:
                await connection.open_connection(host, port, encoding=None)
            assert refused.value.code == asyncssh.OPEN_CONNECT_FAILED
        sandbox.kill(OTHER)
        await (await connection.open_connection(LOOPBACK, 18789))[1].drain()
        sandbox.kill(CLAW)
        with pytest.raises(asyncssh.ChannelOpenError) as refused:
            await connection.open_connection(LOOPBACK, 18789, encoding=None)
        assert refused.value.code == asyncssh.OPEN_CONNECT_FAILED


async def test_only_the_wrapper_is_run(sandbox: Sandbox, tmp_path: Path) -> None:
    async with await connect(sandbox) as connection:
        answer = await connection.run(f"touch {tmp_path}/made", check=False)
        assert answer.exit_status == 126
        script = f"touch {tmp_path}/made\n#end\n".ljust(len(SCRIPT))
        answer = await connection.run(COMMAND, input=script, check=False)
        assert answer.exit_status == 126
        assert not (tmp_path / "made").exists()
        sandbox.kill(CLAW)
        assert (await connection.run("start claw")).exit_status == 0
        while not sandbox.gateway(CLAW).is_ready:
            await asyncio.sleep(0.01)


async def test_work_of_a_gateway(claw: OpenClawPort) -> None:
    reading = await good_probe(claw)
    assert (reading.version, reading.capacity) == ("2026.9.6", 2)
    assert isinstance(await claw.start(order()), Definite)
    outcome = await claw.follow(order())
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.ok
    assert outcome.value.usage.total_tokens > 0
    assert "Compare both price lists" in outcome.value.answer.text.raw


async def crashed_and_back(sandbox: Sandbox, claw: OpenClawPort) -> None:
    """Start a run, kill its gateway and wait until the next process is ready."""
    assert isinstance(await claw.start(order()), Definite)
    sandbox.restart(CLAW, boot_s=1)
    while not sandbox.gateway(CLAW).is_ready:
        await asyncio.sleep(0.01)


async def test_a_turn_that_a_crash_broke_is_found_again(
    sandbox: Sandbox, claw: OpenClawPort
) -> None:
    await crashed_and_back(sandbox, claw)
    while not isinstance(seen := await claw.inspect(order()), Definite):
        await asyncio.sleep(0.01)
    assert isinstance(seen.value, Running | Finished)
    while not isinstance(outcome := await claw.follow(order()), Definite):
        await asyncio.sleep(0.01)
    assert isinstance(outcome.value, Finished)
    assert "Compare both price lists" in outcome.value.answer.text.raw


async def test_a_fence_after_a_crash_keeps_the_turn_from_going_on(
    sandbox: Sandbox, claw: OpenClawPort
) -> None:
    await crashed_and_back(sandbox, claw)
    await claw.fence(order())
    runs = sandbox.gateway(CLAW).process.runs
    await sandbox.pace.sleep(10)
    assert runs.unfinished == []
    assert sandbox.gateway(CLAW).disk.sessions == {}


async def test_faults_of_a_gateway_are_told_apart(sandbox: Sandbox, claw: OpenClawPort) -> None:
    before = await good_probe(claw)
    sandbox.kill(CLAW)
    assert (await failing_probe(claw)).kind is FailureKind.GATEWAY_DOWN
    sandbox.restart(CLAW, boot_s=1)
    after = await good_probe(claw)
    while after.boot_id == before.boot_id:
        after = await good_probe(claw)
    sandbox.lose_host(HOST)
    assert (await failing_probe(claw)).kind is FailureKind.SSH_UNREACHABLE
    sandbox.return_host(HOST)
    await good_probe(claw)
    sandbox.drop_host(HOST)
    await good_probe(claw)


async def test_a_frozen_gateway_hangs(sandbox: Sandbox, pool: SshPool) -> None:
    port = gateway_port(sandbox, pool, OTHER)
    await good_probe(port)
    sandbox.pause(OTHER)
    assert (await failing_probe(port)).kind is FailureKind.GATEWAY_HUNG
    sandbox.resume(OTHER)
    await good_probe(port)
    await port.close()


async def test_work_of_a_program(sandbox: Sandbox, tool: CommandPort) -> None:
    assert isinstance(await tool.probe(), VitalsReading)
    started = await tool.start(order())
    assert isinstance(started, Definite)
    assert isinstance(started.value, Started)
    outcome = await tool.follow(order())
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished), outcome
    assert outcome.value.usage.total_tokens > 0
    log = (sandbox.directory / "agents" / TOOL / "agent.log").read_text()
    assert "TASK1.1 run started" in log
    assert isinstance(await tool.start(order(2)), Definite)
    stopped = await tool.cancel(order(2))
    assert isinstance(stopped, Definite)
    assert isinstance(stopped.value, Stopped | Finished)


async def test_a_killed_program_is_missing_until_it_is_restarted(
    sandbox: Sandbox, tool: CommandPort
) -> None:
    await tool.start(order())
    sandbox.kill(TOOL)
    assert (await failing_probe(tool)).kind is FailureKind.COMMAND_MISSING
    async with asyncio.timeout(60):
        while isinstance((seen := await tool.inspect(order())), Definite) and isinstance(
            seen.value, Running
        ):
            sandbox.kill(TOOL)  # it may just have been on its way into the run's own shell
    assert isinstance(seen, Definite)
    assert isinstance(seen.value, Died | Finished)
    sandbox.restart(TOOL)
    assert isinstance(await tool.probe(), VitalsReading)


async def test_what_it_does_not_have(sandbox: Sandbox) -> None:
    assert sandbox.hosts_of(Region("eu")) == [HOST]
    with pytest.raises(SandboxError, match="tool is no OpenClaw agent"):
        sandbox.pause(TOOL)
    with pytest.raises(SandboxError, match="nowhere is no host"):
        sandbox.lose_host(HostName("nowhere"))
    with pytest.raises(SandboxError, match="not started"):
        _ = Sandbox(declared()).directory


async def test_a_directory_of_its_own_is_removed() -> None:
    async with Sandbox(declared()) as sandbox:
        directory = sandbox.directory
        assert directory.is_dir()
    assert not directory.exists()
