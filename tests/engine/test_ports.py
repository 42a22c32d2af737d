"""What the fleet file says about an agent becomes a way to reach it."""

import asyncio
import random
from pathlib import Path

import msgspec

from fleet_tui.core.evidence import Definite, RunOrder, Started
from fleet_tui.core.fleet import AgentSpec, FleetSpec, LocalAgent
from fleet_tui.core.ids import AgentName, Epoch, PoolName
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.ports import Ports
from tests.support.fleets import fleet


def program_fleet(name: str, run_dir: Path) -> FleetSpec:
    agent = AgentSpec(
        name=AgentName("cat"),
        pool=PoolName("general"),
        kind=LocalAgent(command=("cat",), run_dir=str(run_dir)),
    )
    return msgspec.structs.replace(fleet(agent), name=name)


async def test_fleets_that_share_an_account_do_not_fence_each_other(tmp_path: Path) -> None:
    started = []
    for name, epoch in (("old", 7), ("young", 1)):
        spec = program_fleet(name, tmp_path / "runs")
        ports = Ports(WallClock(), random.Random(1), Epoch(epoch))
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
