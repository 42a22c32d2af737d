"""What stands still for a while: the engine itself, a console, a terminal that nobody reads. None
of it costs an agent its place or a task its end."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.tasks.model import TaskPhase
from tests.acceptance.rig import PROGRAM, MakeRig, Rig
from tests.support.pty_harness import PtyProgram

pytestmark = pytest.mark.slow

PAUSED_S = 4.0
"""Twice what the engine takes for a pause of its own, and many looks that are missed by it."""
DEADLINE_S = 60.0
AGENTS = 12

FLEET = """
defaults: {kind: local, run_dir: %s, probe: {every: 300ms, timeout: 1s, down_after: 2}}
agents:
"""


def fleet(make_rig: MakeRig, directory: Path) -> Rig:
    agents = "".join(f"  a-{n}: {{command: [cat], slots: 2}}\n" for n in range(AGENTS))
    return make_rig(FLEET % (directory / "runs") + agents)


async def all_up(rig: Rig) -> None:
    def holds() -> bool:
        agents = rig.state().agents.values()
        return len(agents) == AGENTS and all(a.health is Health.UP for a in agents)

    await rig.until(holds, DEADLINE_S, "all are up")


async def works(rig: Rig, text: str) -> None:
    await asyncio.to_thread(rig.submit, text)
    await rig.until(
        lambda: rig.tasks()[-1].phase is TaskPhase.SUCCEEDED, DEADLINE_S, f"{text} succeeds"
    )


def bad_news(rig: Rig, after: int) -> list[object]:
    """What was said against agents since then."""
    events = [r.event for r in rig.events()[after:]]
    return [
        e
        for e in events
        if isinstance(e, AlertRaised)
        or (isinstance(e, HealthChanged) and e.health is not Health.UP)
    ]


async def test_an_engine_that_was_stopped_blames_nobody(make_rig: MakeRig, short_dir: Path) -> None:
    rig = fleet(make_rig, short_dir)
    rig.start()
    await all_up(rig)
    assert rig.process is not None
    for n in range(2):
        before = len(rig.events())
        rig.process.send_signal(signal.SIGSTOP)
        over_s = time.monotonic() + PAUSED_S
        while time.monotonic() < over_s:  # how long it stands still is the point
            await asyncio.sleep(0.05)
        rig.process.send_signal(signal.SIGCONT)
        await works(rig, f"after pause {n}")
        assert bad_news(rig, before) == []


@pytest.mark.parametrize("how", ["kill", "stop", "unread"])
async def test_whatever_becomes_of_a_console_the_engine_goes_on(
    make_rig: MakeRig, short_dir: Path, how: str
) -> None:
    rig = fleet(make_rig, short_dir)
    rig.start()
    await all_up(rig)
    before = len(rig.events())
    env = {k: v for k, v in rig.env.items() if os.environ.get(k) != v}
    with PtyProgram([*PROGRAM, "open", str(rig.file)], env=env) as console:
        await asyncio.to_thread(console.wait_for, "a-11")
        if how == "kill":
            os.kill(console.pid, signal.SIGKILL)
        elif how == "stop":
            os.kill(console.pid, signal.SIGSTOP)
        else:
            await asyncio.to_thread(console.fill_terminal, "12")
        for n in range(4):
            await works(rig, f"task {n}")
        if how == "stop":
            os.kill(console.pid, signal.SIGCONT)
        if how != "kill":  # it shows at once where the fleet is now
            console.press("3")
            await asyncio.to_thread(console.wait_for, "t-4")
    assert bad_news(rig, before) == []
