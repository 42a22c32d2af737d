"""A far host behind a network that fails: packets vanish, are refused, come and go.

Probes come ten times as often here as by default, so that the stages take seconds. The promises are
counted in looks, falls and alerts, which does not depend on how often one looks.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.events import AlertRaised
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.tasks.events import AttemptUnknown
from fleet_tui.core.tasks.model import TaskPhase
from tests.acceptance.rig import MakeRig, Rig
from tests.support.far_host import FarHost, far_host
from tests.support.sshd import Sshd, make_sshd

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

PROMISED_S = 20.0
"""A host that vanishes gets no more work after this long; here it is found out sooner."""
DEADLINE_S = 60.0
BLACKOUT_S = 3.0
FAR = AgentName("far")
PROBE = "{every: 500ms, timeout: 2s, down_after: 3, up_after: 1}"


@pytest.fixture
def far(short_dir: Path) -> Iterator[tuple[FarHost, Sshd]]:
    with far_host(short_dir / "far") as made:
        yield made


@pytest.fixture
def near(short_dir: Path) -> Iterator[Sshd]:
    server = make_sshd(short_dir / "near")
    yield server
    server.stop()


def host(name: str, server: Sshd) -> str:
    spec = server.spec()
    return (
        f"  {name}: {{address: {spec.address}, port: {spec.port}, user: {spec.user}, "
        f"identity: {spec.identity}, known_hosts: {spec.known_hosts}, ssh_config: off}}\n"
    )


def fleet_text(directory: Path, servers: dict[str, Sshd]) -> str:
    """An agent on each host; a task that says "wait" waits for the gate to be opened."""
    script = (
        f'read -r word; echo "$word" >> {directory}/book; [ "$word" != wait ] || '
        f"while [ ! -e {directory}/gate ]; do sleep 0.1; done"
    )
    agents = "".join(
        f"  {name}: {{host: {name}, slots: 2, run_dir: {directory}/runs-{name}, "
        f"command: {json.dumps(['sh', '-c', script])}}}\n"
        for name in servers
    )
    hosts = "".join(host(name, server) for name, server in servers.items())
    return f"defaults: {{kind: command, probe: {PROBE}}}\nhosts:\n{hosts}agents:\n{agents}"


def changes(events: list[Recorded]) -> list[Health]:
    """What became of the far agent, in order."""
    told = (r.event for r in events)
    return [e.health for e in told if isinstance(e, HealthChanged) and e.agent == FAR]


async def becomes(rig: Rig, health: Health, within_s: float = DEADLINE_S) -> None:
    await rig.until(lambda: rig.agent(FAR).health is health, within_s, f"far is {health}")


async def done(rig: Rig, tasks: int) -> None:
    def holds() -> bool:
        return [t.phase for t in rig.tasks()].count(TaskPhase.SUCCEEDED) == tasks

    await rig.until(holds, DEADLINE_S, f"{tasks} tasks succeed")


async def test_a_network_that_fails_in_every_way(
    make_rig: MakeRig, far: tuple[FarHost, Sshd], near: Sshd, short_dir: Path
) -> None:
    line, server = far
    rig = make_rig(fleet_text(short_dir, {"near": near, "far": server}))
    rig.start()
    await becomes(rig, Health.UP)
    await asyncio.to_thread(rig.submit, "wait\n", "--agent", "far")
    book = short_dir / "book"
    await rig.until(lambda: book.exists() and "wait" in book.read_text(), DEADLINE_S, "it runs")

    # A short blackout: nobody is lost, nothing becomes unknown, no alert.
    before = len(rig.events())
    line.drop()
    over_s = time.monotonic() + BLACKOUT_S
    while time.monotonic() < over_s:  # how long it lasts is the point
        await asyncio.sleep(0.05)
    line.heal()
    await becomes(rig, Health.UP)
    news = rig.events()[before:]
    assert not any(health.is_lost for health in changes(news))
    assert not any(isinstance(r.event, AlertRaised | AttemptUnknown) for r in news)

    # A black hole: it gets no more work, others do, and what ran there is not run again.
    line.drop()
    await becomes(rig, Health.UNREACHABLE, PROMISED_S)
    await asyncio.to_thread(rig.submit, "elsewhere\n")
    await done(rig, 1)
    (short_dir / "gate").touch()
    line.heal()
    await becomes(rig, Health.UP)
    await done(rig, 2)
    assert sorted(book.read_text().split()) == ["elsewhere", "wait"]
    assert [len(task.attempts) for task in rig.tasks()] == [1, 1]

    # Refused connections, and then a line that comes and goes: in the end it is left alone.
    while rig.agent(FAR).health is not Health.QUARANTINED:
        line.refuse()
        await rig.until(
            lambda: rig.agent(FAR).health in {Health.UNREACHABLE, Health.QUARANTINED},
            PROMISED_S,
            "it is lost",
        )
        line.heal()
        await rig.until(
            lambda: rig.agent(FAR).health in {Health.UP, Health.QUARANTINED}, DEADLINE_S, "up again"
        )
    assert 1 < sum(health.is_lost for health in changes(rig.events())) <= 4
    told = len(changes(rig.events()))
    for _ in range(3):  # quarantined, it may come and go as it likes
        line.refuse()
        await asyncio.to_thread(rig.submit, "beside\n")
        line.heal()
    await done(rig, 5)
    assert len(changes(rig.events())) == told
    open_now = [alert for alert in rig.state().alerts if alert.endswith(":far")]
    assert open_now == ["agent-quarantined:far"]
