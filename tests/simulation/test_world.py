"""Seeded behaviour: the same for the same seed, and believable."""

import asyncio
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_tui.core.fleet import AgentSpec, OpenClawAgent, TaskClass
from fleet_tui.core.ids import AgentName, Capability, PoolName
from fleet_tui.core.routing.requirement import Roster, requirement_of
from fleet_tui.sim.demo.behaviour import MAX_DURATION_S, Profile, plan_run, profile_of
from fleet_tui.sim.demo.loglines import LogFile, Trace, log_line
from fleet_tui.sim.demo.workload import IMPOSSIBLE_WAIT_MS, Workload
from fleet_tui.sim.demo.world import CPU_COUNT, DISK_BYTES, MEMORY_BYTES, Host, Pace, wander
from tests.simulation.gateway_client import SHAPES, misfits
from tests.simulation.trace import JumpingLoop, sample_fleet

ROOT = Path(__file__).parents[2]


def printed_trace(seed: int, hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation.trace", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_seed_decides_everything() -> None:
    first = printed_trace(7, "1")
    assert first == printed_trace(7, "2")
    assert len(first.splitlines()) > 500
    assert "[System]" in first, "the crash was not followed by a continued turn"
    assert first != printed_trace(8, "1")


def worker(*abilities: str, name: str = "agent-01") -> Profile:
    return profile_of(
        AgentSpec(
            name=AgentName(name),
            pool=PoolName("general"),
            kind=OpenClawAgent(port=1, token="secret:env:X"),
            capabilities=frozenset(map(Capability, abilities)),
        ),
        seed=1,
    )


def test_durations_have_a_heavy_tail_with_an_end() -> None:
    plans = [plan_run(worker(), 1, f"r{number}", "Read it") for number in range(4_000)]
    seconds = [plan.duration_s for plan in plans]
    middle = statistics.median(seconds)
    assert 25 < middle < 65
    assert statistics.mean(seconds) > 1.25 * middle
    assert sorted(seconds)[-40] > 4 * middle
    assert max(seconds) <= MAX_DURATION_S
    failed = [plan for plan in plans if plan.error is not None]
    assert 0.015 < len(failed) / len(plans) < 0.035
    assert all(not plan.answer for plan in failed)
    assert all(plan.cost_usd > 0 and plan.steps for plan in plans)


def test_workers_differ_by_what_they_can_do() -> None:
    def typical_s(profile: Profile) -> float:
        return statistics.median(
            plan_run(profile, 1, f"r{number}", "x").duration_s for number in range(500)
        )

    general, browse, gpu = worker(), worker("browser"), worker("gpu")
    assert typical_s(gpu) > typical_s(general)
    assert {general.habits, browse.habits, gpu.habits} == {
        general.habits,
        browse.habits,
        gpu.habits,
    }
    assert gpu.model.output_usd > general.model.output_usd


def test_a_plan_does_not_depend_on_other_plans() -> None:
    alone = plan_run(worker(), 1, "r9", "x")
    for number in range(5):
        plan_run(worker(), 1, f"other-{number}", "x")
    assert plan_run(worker(), 1, "r9", "x") == alone
    assert plan_run(worker(), 2, "r9", "x") != alone
    assert plan_run(worker(name="agent-02"), 1, "r9", "x") != alone


def test_vitals_walk_smoothly_and_follow_the_work() -> None:
    host = Host("gw-eu-1", seed=3)
    walk = [host.vitals(at) for at in range(0, 3_600, 2)]
    steps = [abs(b.cpu_percent - a.cpu_percent) for a, b in itertools.pairwise(walk)]
    assert max(steps) < 3
    assert len({vitals.cpu_percent for vitals in walk}) > 30
    host.busy = 8
    busy = host.vitals(0)
    assert busy.cpu_percent > walk[0].cpu_percent + 20
    assert busy.memory_free_bytes < walk[0].memory_free_bytes
    for vitals in (*walk, busy):
        assert 0 < vitals.cpu_percent < 100
        assert 0 < vitals.load_average[0] <= CPU_COUNT
        assert 0 < vitals.memory_free_bytes < MEMORY_BYTES
        assert 0 < vitals.disk_free_bytes < DISK_BYTES


def test_wandering_stays_between_its_bounds() -> None:
    values = [wander("x", at / 10, period_s=5) for at in range(2_000)]
    assert min(values) >= 0
    assert max(values) <= 1
    assert max(values) - min(values) > 0.5


def test_a_log_line_is_one_like_the_recorded_ones() -> None:
    trace = Trace.parse(f"00-{'ab' * 16}-{'cd' * 8}-01", "ef" * 8)
    assert trace is not None
    line = log_line(1_790_000_000_123, "host", "WARN", "agent/embedded", "slow", trace)
    decoded = json.loads(line)
    assert not misfits(decoded, SHAPES["log-line"])
    assert decoded["_meta"]["logLevelName"] == "WARN"
    assert decoded["time"] == "2026-09-21T14:13:20.123+00:00"
    assert (decoded["traceId"], decoded["parentSpanId"]) == ("ab" * 16, "cd" * 8)
    assert Trace.parse("nonsense", "") is None
    assert "traceId" not in log_line(0, "host", "INFO", "gateway", "no trace")


def test_a_log_file_keeps_its_positions_when_old_lines_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet_tui.sim.demo.loglines.MAX_FILE_BYTES", 100)
    log = LogFile()
    for number in range(50):
        log.append(f"line {number:03}")
    assert log.size == 50 * 9
    assert log.tail(log.size - 9).lines == ["line 049"]
    old = log.tail(0)
    assert old.reset
    assert old.skipped_bytes
    assert len(old.lines) == 11
    log.rotate()
    assert log.tail(450).reset
    log.append("new")
    assert log.tail(0).lines == ["new"]


def test_tasks_fit_the_fleet_except_for_a_few() -> None:
    fleet = sample_fleet()
    workload = Workload(fleet, rng=random.Random(1), pace=Pace(lambda: 0))
    tasks = [workload.draw() for _ in range(5_000)]
    roster = Roster(fleet)
    lonely = [task for task in tasks if not roster.eligible(requirement_of(fleet, task)).agents]
    assert 0.002 < len(lonely) / len(tasks) < 0.02
    assert all(
        task.deadlines and task.deadlines.schedule_to_start_ms == IMPOSSIBLE_WAIT_MS
        for task in lonely
    )
    assert {task.client for task in tasks} == {None, "acme", "globex"}
    assert {task.task_class for task in tasks} == set(TaskClass)
    assert len({task.priority for task in tasks}) == 4
    assert len({task.payload.raw for task in tasks}) > 500
    assert any("browser" in task.needs for task in tasks)


def test_tasks_come_as_often_as_asked() -> None:
    async def arrivals_in_an_hour(surge: float) -> int:
        loop = asyncio.get_running_loop()
        workload = Workload(
            sample_fleet(), rng=random.Random(1), pace=Pace(lambda: 0, speed=60), per_minute=40
        )
        workload.surge = surge
        began_s, count = loop.time(), 0
        async for _ in workload.arrivals():
            if loop.time() - began_s > 60:
                break
            count += 1
        return count

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        calm = runner.run(arrivals_in_an_hour(1))
        busy = runner.run(arrivals_in_an_hour(6))
    assert 2_250 < calm < 2_550
    assert 5.5 < busy / calm < 6.5
