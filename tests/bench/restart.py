"""An engine that is started again: how soon it has asked for every run that was open."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

from fleet_tui.core.fleet import AgentSpec, FleetSpec, LocalAgent, PoolSpec, ProbeSpec
from fleet_tui.core.ids import AgentName, PoolName, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Cancel, Submit
from fleet_tui.core.tasks.evidence import RunOrder
from fleet_tui.core.tasks.model import AttemptPhase, TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine import run
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.dispatch import order_of
from fleet_tui.engine.ports import Ports
from fleet_tui.engine.run import RunningEngine
from fleet_tui.wire.port import AgentPort, Inspection
from tests.bench.frame import Row, at_most

AGENTS = 200
ALONE = 10
"""Runs that are asked for one after the other, for comparison."""
POOL = PoolName("here")


class WatchedPorts(Ports):
    """Real ports that tell when each run was found again, in seconds of the steady clock."""

    found_s: ClassVar[dict[str, float]] = {}

    def __call__(self, fleet: FleetSpec, agent: AgentSpec) -> AgentPort:
        port = super().__call__(fleet, agent)
        inspect = port.inspect

        async def watched(order: RunOrder) -> Inspection:
            found = await inspect(order)
            self.found_s.setdefault(order.run_id, time.perf_counter())
            return found

        port.inspect = watched  # type: ignore[method-assign]  # only here
        return port


def restarts() -> Iterator[Row]:
    """From an engine's start until it knows of every open run where it stands."""
    with tempfile.TemporaryDirectory(prefix="ft-") as place:
        found_s, alone_s = asyncio.run(_measure(Path(place)))
    yield Row(
        name=f"restart to {AGENTS} open runs found again",
        figure=found_s,
        unit="s",
        peer_name=f"as many asked one by one ({ALONE} measured)",
        peer=alone_s,
        target=at_most(10),
    )


async def _measure(place: Path) -> tuple[float, float]:
    spec = _fleet(place / "runs")
    tasks = [TaskId(f"TASK{n:022d}") for n in range(AGENTS)]
    async with RunningEngine(spec, place / "state") as first:
        loop = asyncio.create_task(first.run())
        for task in tasks:
            wanted = TaskSpec(payload=Untrusted("wait"))
            await first.engine.ask("bench", Submit(task=task, key=task, spec=wanted))
        while sum(_running(first)) < AGENTS:
            await asyncio.sleep(0.1)
        first.stop("measured")
        await loop
    with patch.object(run, "Ports", WatchedPorts):
        began = time.perf_counter()
        async with RunningEngine(spec, place / "state") as second:
            loop = asyncio.create_task(second.run())
            while len(WatchedPorts.found_s) < AGENTS:
                await asyncio.sleep(0.05)
            found_s = max(WatchedPorts.found_s.values()) - began
            alone_s = await _alone(second.engine.state)
            for task in tasks:
                await second.engine.ask("bench", Cancel(tasks=(task,)))
            while second.engine.state.open_tasks:
                await asyncio.sleep(0.1)
            second.stop("measured")
            await loop
    return found_s, alone_s


def _running(engine: RunningEngine) -> Iterator[bool]:
    for task in engine.engine.state.open_tasks.values():
        yield task.attempt is not None and task.attempt.phase is AttemptPhase.RUNNING


async def _alone(state: FleetState) -> float:
    """What asking every run one after the other would take, in seconds."""
    ports = Ports(WallClock(), random.Random(1), state.engine.epoch, is_owner=lambda: True)
    took_s = 0.0
    for task in list(state.open_tasks.values())[:ALONE]:
        assert task.attempt is not None
        port = ports(state.fleet, state.fleet.agents[task.attempt.agent])
        order = order_of(state, task.attempt.run_id)
        assert order is not None
        began = time.perf_counter()
        await port.inspect(order)
        took_s += time.perf_counter() - began
        await port.close()
    return took_s * AGENTS / ALONE


def _fleet(runs: Path) -> FleetSpec:
    names = [AgentName(f"agent-{n:03d}") for n in range(AGENTS)]
    kind = LocalAgent(command=("sleep", "300"), run_dir=str(runs))
    probe = ProbeSpec(every_ms=60_000)
    return FleetSpec(
        name="bench",
        pools={POOL: PoolSpec(name=POOL)},
        agents={n: AgentSpec(name=n, pool=POOL, kind=kind, probe=probe) for n in names},
    )
