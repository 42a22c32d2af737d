"""Scenarios are data, made for any fleet, and do to it what they say."""

import asyncio
import random
from pathlib import Path

import pytest

from fleet_tui.core.fleet import EMPTY_FLEET, FleetSpec
from fleet_tui.core.ids import AgentName, HostName, Region
from fleet_tui.sim.demo.sandbox import Sandbox
from fleet_tui.sim.demo.story import (
    SCENARIOS,
    AnyAct,
    Beat,
    Kill,
    LoseRegion,
    Pause,
    Restart,
    Resume,
    ReturnRegion,
    Scenario,
    Slow,
    Surge,
    run_story,
)
from fleet_tui.sim.demo.workload import Workload
from fleet_tui.sim.demo.world import Pace
from tests.simulation.trace import sample_fleet

A, B = AgentName("agent-00"), AgentName("agent-01")
EU = Region("eu-w1")


@pytest.mark.parametrize("name", SCENARIOS)
def test_beats_are_in_order_and_name_what_the_fleet_has(name: str) -> None:
    fleet = sample_fleet()
    scenario = SCENARIOS[name](fleet)
    assert scenario.name == name
    times = [beat.at_s for beat in scenario.beats]
    assert times == sorted(times)
    assert times
    for beat in scenario.beats:
        match beat.act:
            case Kill() | Restart() | Pause() | Resume() | Slow():
                assert beat.act.agent in fleet.agents
            case LoseRegion() | ReturnRegion():
                assert beat.act.region in {agent.region for agent in fleet.agents.values()}
            case Surge():
                assert beat.act.factor > 0


def test_the_default_story_is_the_one_that_newcomers_see() -> None:
    names = [AgentName(f"agent-{number:02}") for number in range(1, 21)]
    first = next(iter(sample_fleet().agents.values()))
    fleet = FleetSpec(name="demo", agents=dict.fromkeys(names, first))
    beats = SCENARIOS["default"](fleet).beats
    assert Beat(3, Kill(agent=AgentName("agent-14"))) in beats
    back = next(beat for beat in beats if isinstance(beat.act, Restart))
    assert isinstance(back.act, Restart)
    assert back.act.agent == "agent-14"
    assert 20 <= back.at_s + back.act.boot_s <= 25


def test_a_fleet_without_agents_has_no_story() -> None:
    with pytest.raises(ValueError, match="at least one OpenClaw agent"):
        SCENARIOS["default"](EMPTY_FLEET)
    assert SCENARIOS["outage"](EMPTY_FLEET).beats == ()


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
    story = Scenario(
        name="all", summary="", beats=tuple(Beat(number, act) for number, act in enumerate(acts))
    )
    seen: list[tuple[str, object]] = []
    async with Sandbox(fleet, speed=200, directory=tmp_path / "box") as sandbox:
        workload = Workload(fleet, rng=random.Random(1), pace=Pace(lambda: 0))

        def look(beat: Beat) -> None:
            match beat.act:
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
            seen.append((type(beat.act).__name__, state))

        await run_story(sandbox, story, workload=workload, told=look)
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


async def test_beats_happen_at_their_times(tmp_path: Path) -> None:
    fleet = sample_fleet()
    story = Scenario(
        name="late", summary="", beats=(Beat(0, Surge(factor=2)), Beat(30, Surge(factor=1)))
    )
    async with Sandbox(fleet, speed=300, directory=tmp_path / "box") as sandbox:
        times: list[float] = []
        began_s = sandbox.pace.elapsed_s()
        await asyncio.wait_for(
            run_story(
                sandbox, story, told=lambda _: times.append(sandbox.pace.elapsed_s() - began_s)
            ),
            timeout=30,
        )
    assert times[1] >= 30
