"""Prints everything that a seed decides, with time that jumps: for the test of determinism.

Run as ``python -m tests.simulation.trace SEED``; two runs must print the same bytes whatever
PYTHONHASHSEED is.
"""

import asyncio
import random
import selectors
import sys
from typing import Any

import msgspec

from fleet_tui.core.fleet import AgentSpec, FleetSpec, HostSpec, OpenClawAgent, ResidencyRule
from fleet_tui.core.ids import AgentName, Capability, ClientName, HostName, PoolName, Region
from fleet_tui.sim.demo.behaviour import planner, profile_of
from fleet_tui.sim.demo.workload import Workload
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.disk import Json
from fleet_tui.sim.gateway.gateway import Gateway
from fleet_tui.sim.gateway.process import GatewaySpec
from fleet_tui.sim.gateway.run_table import RunRequest

TASKS = 60


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time passes only while everybody sleeps, and then at once."""

    def __init__(self) -> None:
        self.now_s = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now_s


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.now_s += timeout or 0.0
        return super().select(0)


class Ear:
    """A listener that remembers."""

    def __init__(self, name: str, heard: list[Any]) -> None:
        self._name = name
        self._heard = heard

    def push(self, event: str, payload: Json) -> None:
        self._heard.append([self._name, event, payload])

    def close(self, code: int, reason: str) -> None:
        self._heard.append([self._name, code, reason])

    def abort(self) -> None:
        self._heard.append([self._name, "gone"])


def sample_fleet() -> FleetSpec:
    """Four agents on two hosts, of every kind of worker."""
    abilities = ("gpu", "browser", "", "vision")
    agents = [
        AgentSpec(
            name=AgentName(f"agent-{number:02}"),
            pool=PoolName("general"),
            kind=OpenClawAgent(port=18_789 + number, token="secret:env:NOBODY"),
            host=HostName(f"host-{number % 2}"),
            region=Region(("eu-w1", "us-e1")[number % 2]),
            capabilities=frozenset(Capability(word) for word in (ability,) if word),
            clients=(ClientName("acme"),) if ability == "vision" else (),
            slots=2,
        )
        for number, ability in enumerate(abilities)
    ]
    hosts = [HostSpec(name=HostName(name), address=name) for name in ("host-0", "host-1")]
    rule = ResidencyRule(client=ClientName("globex"), regions=(Region("eu-w1"),))
    return FleetSpec(
        name="sample",
        hosts={host.name: host for host in hosts},
        agents={agent.name: agent for agent in agents},
        residency=(rule,),
    )


async def trace(seed: int) -> list[Any]:
    """Everything a small fleet does with a few tasks and one crash."""
    loop = asyncio.get_running_loop()
    fleet = sample_fleet()
    pace = Pace(lambda: round(loop.time() * 1_000), speed=1)
    hosts = {name: Host(name, seed) for name in fleet.hosts}
    heard: list[Any] = []
    gateways: list[Gateway] = []
    for agent in fleet.agents.values():
        assert isinstance(agent.kind, OpenClawAgent)
        assert agent.host is not None
        profile = profile_of(agent, seed)
        gateway = Gateway(
            GatewaySpec(name=agent.name, port=agent.kind.port, token="x", model=profile.model),
            host=hosts[agent.host],
            pace=pace,
            rng=random.Random(seed),
            plan=planner(profile, seed),
        )
        gateway.start(boot_s=0)
        gateway.process.listeners[Ear(agent.name, heard)] = None
        gateways.append(gateway)
    workload = Workload(fleet, rng=random.Random(seed), pace=pace)
    number = 0
    async for spec in workload.arrivals():
        heard.append([round(loop.time(), 6), spec])
        gateway = gateways[number % len(gateways)]
        text = spec.payload.raw
        gateway.process.runs.accept(
            RunRequest(run_id=f"r{number}", session_key=f"s{number}", message=text, title=text)
        )
        number += 1
        if number == TASKS // 2:
            gateways[0].restart()
            gateways[0].process.listeners[Ear("again", heard)] = None
        if number == TASKS:
            break
    await pace.sleep(600)
    for gateway in gateways:
        heard.append(gateway.disk.log.tail(None).lines)
        await gateway.close()
    heard.append([host.vitals(pace.elapsed_s()) for host in hosts.values()])
    return heard


def main(seed: int) -> None:
    """Print the trace, one happening per line."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        for happening in runner.run(trace(seed)):
            sys.stdout.write(msgspec.json.encode(happening, order="sorted").decode() + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
