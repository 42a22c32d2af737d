"""What happens to a simulated fleet, as data: scenarios of timed cues, and who plays them.

Times are simulated seconds from the start of the scenario. A scenario is made for a fleet, so that
it also works for one of another size or with other names.
"""

from collections.abc import Callable
from typing import assert_never

import msgspec

from fleet_tui.core.fleet import AgentSpec, FleetSpec, OpenClawAgent
from fleet_tui.core.ids import AgentName, Region
from fleet_tui.sim.demo.sandbox import Sandbox
from fleet_tui.sim.demo.workload import Workload
from fleet_tui.sim.demo.world import Pace


class Act(msgspec.Struct, frozen=True, kw_only=True, tag_field="act"):
    """Something that happens."""


class Kill(Act, frozen=True, kw_only=True, tag="kill"):
    """An agent's process dies."""

    agent: AgentName


class Restart(Act, frozen=True, kw_only=True, tag="restart"):
    """An agent's process is started again and ready after ``boot_s``."""

    agent: AgentName
    boot_s: float


class Pause(Act, frozen=True, kw_only=True, tag="pause"):
    """An agent's process stops answering."""

    agent: AgentName


class Resume(Act, frozen=True, kw_only=True, tag="resume"):
    """Resume a paused process."""

    agent: AgentName


class Slow(Act, frozen=True, kw_only=True, tag="slow"):
    """An agent takes ``factor`` times as long from now on; 1 is normal."""

    agent: AgentName
    factor: float


class LoseRegion(Act, frozen=True, kw_only=True, tag="lose-region"):
    """Every host of a region becomes unreachable."""

    region: Region


class ReturnRegion(Act, frozen=True, kw_only=True, tag="return-region"):
    """The hosts of a region are reachable again."""

    region: Region


class Surge(Act, frozen=True, kw_only=True, tag="surge"):
    """So many times more work comes in from now on; 1 is normal."""

    factor: float


AnyAct = Kill | Restart | Pause | Resume | Slow | LoseRegion | ReturnRegion | Surge


class Cue(msgspec.Struct, frozen=True):
    """What happens when."""

    at_s: float
    act: AnyAct


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one fleet; cues are in the order of their times."""

    name: str
    summary: str
    cues: tuple[Cue, ...]


def default(fleet: FleetSpec) -> Scenario:
    """One agent dies and comes back, another is slow: what broke, what moved, what waits."""
    victim, laggard = _agent(fleet, "agent-14"), _agent(fleet, "agent-06")
    return Scenario(
        name="default",
        summary=f"{victim} dies after 3 s and is up again at about 25 s; {laggard} is slow",
        cues=(
            Cue(0, Slow(agent=laggard, factor=4)),
            Cue(3, Kill(agent=victim)),
            Cue(12, Restart(agent=victim, boot_s=11)),
            Cue(120, Slow(agent=laggard, factor=1)),
        ),
    )


def outage(fleet: FleetSpec) -> Scenario:
    """The largest region vanishes from the network and returns; its agents work on meanwhile."""
    sizes: dict[Region, int] = {}
    for agent in fleet.agents.values():
        if agent.region is not None and agent.host is not None:
            sizes[agent.region] = sizes.get(agent.region, 0) + 1
    if not sizes:
        return Scenario(name="outage", summary="no agent has a region", cues=())
    region = max(sizes, key=lambda name: sizes[name])
    return Scenario(
        name="outage",
        summary=f"every host in {region} is unreachable from 5 s to 65 s",
        cues=(Cue(5, LoseRegion(region=region)), Cue(65, ReturnRegion(region=region))),
    )


def surge(fleet: FleetSpec) -> Scenario:
    """Six times as much work for a minute and a half, while one agent hangs for a while."""
    stuck = _agent(fleet, "agent-03")
    return Scenario(
        name="surge",
        summary=f"six times the usual work from 5 s to 95 s; {stuck} hangs from 30 s to 60 s",
        cues=(
            Cue(5, Surge(factor=6)),
            Cue(30, Pause(agent=stuck)),
            Cue(60, Resume(agent=stuck)),
            Cue(95, Surge(factor=1)),
        ),
    )


SCENARIOS: dict[str, Callable[[FleetSpec], Scenario]] = {
    "default": default,
    "outage": outage,
    "surge": surge,
}


async def play_scenario(
    sandbox: Sandbox,
    scenario: Scenario,
    pace: Pace | None = None,
    *,
    workload: Workload | None = None,
    told: Callable[[Cue], None] = lambda _beat: None,
) -> None:
    """Play a scenario once, from now on. ``told`` hears of every cue after it happened."""
    pace = pace or sandbox.pace
    began_s = pace.elapsed_s()
    for cue in scenario.cues:
        await pace.sleep(began_s + cue.at_s - pace.elapsed_s())
        _play(sandbox, workload, cue.act)
        told(cue)


def _play(sandbox: Sandbox, workload: Workload | None, act: AnyAct) -> None:
    match act:
        case Kill():
            sandbox.kill(act.agent)
        case Restart():
            sandbox.restart(act.agent, boot_s=act.boot_s)
        case Pause():
            sandbox.pause(act.agent)
        case Resume():
            sandbox.resume(act.agent)
        case Slow():
            sandbox.slow(act.agent, act.factor)
        case LoseRegion():
            for host in sandbox.hosts_of(act.region):
                sandbox.lose_host(host)
        case ReturnRegion():
            for host in sandbox.hosts_of(act.region):
                sandbox.return_host(host)
        case Surge():
            if workload is not None:
                workload.surge = act.factor
        case _:
            assert_never(act)


def _agent(fleet: FleetSpec, wanted: str) -> AgentName:
    """The agent of that name, or one in about the same place of a fleet that has none."""
    if AgentName(wanted) in fleet.agents:
        return AgentName(wanted)
    gateways: list[AgentSpec] = [
        agent for agent in fleet.agents.values() if isinstance(agent.kind, OpenClawAgent)
    ]
    if not gateways:
        raise ValueError("a scenario needs a fleet with at least one OpenClaw agent")
    number = int(wanted.rpartition("-")[2])
    return gateways[number % len(gateways)].name
