"""Scenarios are data, made for any fleet, and do to it what they say."""

import asyncio
import random
from pathlib import Path

import pytest

from fleet_tui.core.fleet import EMPTY_FLEET, FleetSpec
from fleet_tui.core.ids import AgentName, HostName, Region
from fleet_tui.sim.demo.sandbox import Sandbox
from fleet_tui.sim.demo.scenarios import (
    SCENARIOS,
    AnyAct,
    Cue,
    Kill,
    LoseRegion,
    Pause,
    Restart,
    Resume,
    ReturnRegion,
    Scenario,
    Slow,
    Surge,
    play_scenario,
)
from fleet_tui.sim.demo.workload import Workload
from fleet_tui.sim.demo.world import Pace
from tests.simulation.trace import sample_fleet

A, B = AgentName("agent-00"), AgentName("agent-01")
EU = Region("eu-w1")


@pytest.mark.parametrize("name", SCENARIOS)
def test_cues_are_in_order_and_name_what_the_fleet_has(name: str) -> None:
    fleet = sample_fleet()
    scenario = SCENARIOS[name](fleet)
    assert scenario.name == name
    times = [cue.at_s for cue in scenario.cues]
    assert times == sorted(times)
    assert times
    for cue in scenario.cues:
        match cue.act:
            case Kill() | Restart() | Pause() | Resume() | Slow():
                assert cue.act.agent in fleet.agents
            case LoseRegion() | ReturnRegion():
                assert cue.act.region in {agent.region for agent in fleet.agents.values()}
            case Surge():
                assert cue.act.factor > 0


def test_the_default_scenario_is_the_one_that_newcomers_see() -> None:
    names = [AgentName(f"agent-{number:02}") for number in range(1, 21)]
    first = next(iter(sample_fleet().agents.values()))
    fleet = FleetSpec(name="demo", agents=dict.fromkeys(names, first))
    cues = SCENARIOS["default"](fleet).cues
    assert Cue(3, Kill(agent=AgentName("agent-14"))) in cues
    back = next(cue for cue in cues if isinstance(cue.act, Restart))
    assert isinstance(back.act, Restart)
    assert back.act.agent == "agent-14"
    assert 20 <= back.at_s + back.act.boot_s <= 25


def test_a_fleet_without_agents_has_no_scenario() -> None:
    with pytest.raises(ValueError, match="at least one OpenClaw agent"):
        SCENARIOS["default"](EMPTY_FLEET)
    assert SCENARIOS["outage"](EMPTY_FLEET).cues == ()


async def test_every_act_does_what_it_says(tmp_path: Path) -> None:
    fleet = sample_fleet()
    acts: tuple[AnyAct, ...] = (
        Kill(agent=A),
        Restart(agent=A, boot_s=0),
        Pause(agent=B),
        Resume(agent=B),
        Slow(agent=B, factor=3),
        LoseRegion(region=EU),
        ReturnRegion(region=EU),
        Surge(factor=6),
    )
    scenario = Scenario(
        name="all", summary="", cues=tuple(Cue(number, act) for number, act in enumerate(acts))
    )
    seen: list[tuple[str, object]] = []
    async with Sandbox(fleet, speed=200, directory=tmp_path / "box") as sandbox:
        workload = Workload(fleet, rng=random.Random(1), pace=Pace(lambda: 0))

        def look(cue: Cue) -> None:
            match cue.act:
                case Kill() | Restart():
                    state: object = sandbox.gateway(A).is_ready
                case Pause() | Resume():
                    state = sandbox.gateway(B).process.thawed.is_set()
                case Slow():
                    state = sandbox.gateway(B).slowness
                case LoseRegion() | ReturnRegion():
                    state = sandbox.is_lost(HostName("host-0")), sandbox.is_lost("host-1")
                case Surge():
                    state = workload.surge
            seen.append((type(cue.act).__name__, state))

        await play_scenario(sandbox, scenario, workload=workload, told=look)
    assert seen == [
        ("Kill", False),
        ("Restart", True),
        ("Pause", False),
        ("Resume", True),
        ("Slow", 3),
        ("LoseRegion", (True, False)),
        ("ReturnRegion", (False, False)),
        ("Surge", 6),
    ]


async def test_cues_happen_at_their_times(tmp_path: Path) -> None:
    fleet = sample_fleet()
    scenario = Scenario(
        name="late", summary="", cues=(Cue(0, Surge(factor=2)), Cue(30, Surge(factor=1)))
    )
    async with Sandbox(fleet, speed=300, directory=tmp_path / "box") as sandbox:
        times: list[float] = []
        began_s = sandbox.pace.elapsed_s()
        await asyncio.wait_for(
            play_scenario(
                sandbox, scenario, told=lambda _: times.append(sandbox.pace.elapsed_s() - began_s)
            ),
            timeout=30,
        )
    assert times[1] >= 30
