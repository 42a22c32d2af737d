"""What the fleet file says about an agent becomes a way to reach it."""

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import (
    AgentSpec,
    CommandAgent,
    FleetSpec,
    HostSpec,
    LocalAgent,
    OpenClawAgent,
)
from fleet_tui.core.ids import AgentName, Epoch, HostName, PoolName
from fleet_tui.core.tasks.evidence import Definite, RunOrder, Started
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine import ports as engine_ports
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.ports import Ports
from fleet_tui.wire.ssh.pool import SshFailure
from tests.support.fleets import fleet


def program_fleet(name: str, run_dir: Path) -> FleetSpec:
    agent = AgentSpec(
        name=AgentName("cat"),
        pool=PoolName("general"),
        kind=LocalAgent(command=("cat",), run_dir=str(run_dir)),
    )
    return msgspec.structs.replace(fleet(agent), name=name)


class Pool:
    """Stands in for the connections to some hosts."""

    made: ClassVar[list["Pool"]] = []

    def __init__(
        self,
        hosts: Mapping[HostName, HostSpec],
        *,
        on_lost: Callable[[HostName, SshFailure], None],
        **_: object,
    ) -> None:
        self.hosts = hosts
        self.on_lost = on_lost
        self.closed = False
        self.made.append(self)

    async def close(self) -> None:
        self.closed = True


def ssh_fleet(address: str) -> FleetSpec:
    """One agent of each kind that is reached by SSH."""
    host = HostName("h")
    program = CommandAgent(command=("cat",), run_dir="~/runs")
    gateway = OpenClawAgent(port=1, token="secret:env:T")
    agents = [
        AgentSpec(name=AgentName(name), pool=PoolName("general"), host=host, kind=kind)
        for name, kind in (("p", program), ("g", gateway))
    ]
    spec = fleet(*agents)
    return msgspec.structs.replace(spec, hosts={host: HostSpec(name=host, address=address)})


async def test_connections_are_closed_when_the_last_agent_behind_them_is_let_go_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pool, "made", [])
    monkeypatch.setattr(engine_ports, "SshPool", Pool)
    ports = Ports(WallClock(), random.Random(1), Epoch(1), is_owner=lambda: True)
    before, after = ssh_fleet("one.example"), ssh_fleet("two.example")
    old = [ports(before, spec) for spec in before.agents.values()]
    new = [ports(after, spec) for spec in after.agents.values()]
    first, second = Pool.made
    for _ in range(2):  # twice is no harm
        await old[0].close()
    await asyncio.sleep(0)
    assert not first.closed, "the other agent still talks over it"
    await old[1].close()
    await asyncio.sleep(0)
    assert first.closed
    for port in new:
        await port.close()
    await asyncio.sleep(0)
    assert not second.closed, "its hosts are those of the fleet file"
    assert ports(after, after.agents[AgentName("p")])
    assert len(Pool.made) == 2
    await ports.close()
    assert second.closed


async def test_fleets_that_share_an_account_do_not_fence_each_other(tmp_path: Path) -> None:
    started = []
    for name, epoch in (("old", 7), ("young", 1)):
        spec = program_fleet(name, tmp_path / "runs")
        ports = Ports(WallClock(), random.Random(1), Epoch(epoch), is_owner=lambda: True)
        port = ports(spec, spec.agents[AgentName("cat")])
        task = f"01M7YM06P1069DYQ0HSW4BH{epoch:03d}"
        order = RunOrder(
            run_id=f"{task}.1",
            task_id=task,
            attempt=1,
            payload=Untrusted("hello"),
            label="t-1",
            start_to_close_ms=None,
            trace_id="0" * 32,
        )
        started.append(await port.start(order))
        async with asyncio.timeout(30):
            await port.follow(order)
        await port.close()
        await ports.close()
    assert all(isinstance(a, Definite) and isinstance(a.value, Started) for a in started), started


async def test_a_lost_connection_to_a_host_is_told_to_the_programs_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Pool, "made", [])
    monkeypatch.setattr(engine_ports, "SshPool", Pool)
    ports = Ports(WallClock(), random.Random(1), Epoch(1), is_owner=lambda: True)
    spec = ssh_fleet("one.example")
    program = ports(spec, spec.agents[AgentName("p")])
    (pool,) = Pool.made
    for kind in (FailureKind.SSH_UNREACHABLE, FailureKind.SSH_PROTOCOL):
        elsewhere = SshFailure(kind=kind, detail=Untrusted("elsewhere"))
        pool.on_lost(HostName("another"), elsewhere)
        pool.on_lost(HostName("h"), SshFailure(kind=kind, detail=Untrusted("reset by peer")))
        async with asyncio.timeout(20):
            lost = await program.lost()
        assert (lost.agent, lost.kind) == ("p", kind)
        assert lost.detail.raw == "reset by peer"
