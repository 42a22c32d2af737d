"""What is not ledger in the tests' scene: half an hour of pulse, a minute of lines."""

import random

from fleet_tui.core.agents.vitals import FleetSample
from fleet_tui.core.logs import Level, LogGap, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.scene import BROWSE, GENERAL, GPU, NOW_MS, agent_name, task_id


def seeded_samples() -> tuple[FleetSample, ...]:
    """Thirty minutes of pulse, one every five seconds, ending at 128 and rising."""
    rng = random.Random(5)
    samples: list[FleetSample] = []
    for step in range(361):
        at_ms = NOW_MS - (360 - step) * 5_000
        wave = 78 + step * 0.05 + rng.randrange(-6, 7)
        depth = int(wave) if step < 330 else int(92 + (step - 330) * 1.2)
        if step == 360:
            depth = 128
        p0, p1, p3 = 2, depth * 15 // 100, depth * 18 // 100
        samples.append(
            FleetSample(
                at_ms=at_ms,
                waiting=(p0, p1, depth - p0 - p1 - p3, p3),
                running=44,
                up=19 if step < 324 else 18,
                agents=20,
                waiting_by_pool={
                    GENERAL: depth * 55 // 100,
                    GPU: depth * 31 // 100,
                    BROWSE: depth * 14 // 100,
                },
            )
        )
    return tuple(samples)


_STORY_LINES: tuple[tuple[float, int, Level, int, str], ...] = (
    (4.99, 4, Level.INFO, 48_202, "finished ok 18.2s 41k tok $0.031"),
    (4.53, 7, Level.INFO, 48_203, "tool call browser.open ok 412ms"),
    (3.90, 18, Level.DEBUG, 0, "drain: 2 tasks left, deadline in 7m40s"),
    (3.498, 1, Level.INFO, 48_204, "run started model=haiku skill=triage"),
    (3.09, 0, Level.ERROR, 48_340, "held: no agent satisfies residency=eu cap=gpu"),
    (1.765, 0, Level.INFO, 48_207, "failover: agent-14 -> agent-09 (retry 1/3)"),
    (1.76, 14, Level.ERROR, 0, "probe: ssh connect timed out after 5.0s (3 in a row) -> down"),
    (0.423, 6, Level.WARN, 48_190, "p95 6.4s is 3.1x the pool baseline of 2.1s"),
    (0.282, 12, Level.INFO, 48_213, "preempt: t-48150 checkpointed, requeued at P3"),
    (0.196, 3, Level.INFO, 48_212, "run started model=sonnet skill=web-research"),
)


def seeded_lines() -> tuple[LogLine | LogGap, ...]:
    """Two hundred quiet lines and the ten that tell the story, oldest first."""
    quiet = [
        LogLine(
            received_at_ms=NOW_MS - 60_000 + index * 250,
            source=agent_name(1 + index % 12),
            level=Level.DEBUG if index % 5 == 0 else Level.INFO,
            text=Untrusted(f"tool call browser.open ok {200 + index * 7 % 400}ms"),
            task=task_id(48_170 + index % 40),
            line_id=index + 1,
        )
        for index in range(200)
    ]
    story = [
        LogLine(
            received_at_ms=NOW_MS - int(age_s * 1_000),
            source=agent_name(agent) if agent else None,
            level=level,
            text=Untrusted(text),
            task=task_id(number) if number else None,
            line_id=201 + index,
        )
        for index, (age_s, agent, level, number, text) in enumerate(_STORY_LINES)
    ]
    return (*quiet, *story)
