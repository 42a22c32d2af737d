"""What ``agents`` and ``doctor`` say of agents: limits of their releases before a task is sent."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli import checkup
from fleet_tui.cli.common import Fleet
from fleet_tui.cli.main import run
from fleet_tui.core.agents.events import AgentIdentified, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.events import Event
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import AGENT, FLEET, opening

NOW_MS = 1_795_000_000_000
NAME = "demo"

OLD = AgentIdentified(
    agent=AGENT, version="2026.6.11", boot_id=None, limits=(Limit.NO_FENCE, Limit.NO_LANES)
)

pytestmark = pytest.mark.usefixtures("own_process")


async def keep(*events: Event) -> None:
    writer = await JournalWriter.open(fleet_dir(NAME), lambda: NOW_MS, "v", 1)
    await writer.append([*opening(), *events], NOW_MS)
    await writer.close("x")


async def test_the_limits_of_a_release_are_said_where_agents_are_listed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await keep(OLD)
    run(["agents", "-f", NAME])
    told = capsys.readouterr().out.splitlines()
    at = told.index("on release 2026.6.11 (agent-01):")
    assert told[at + 1 :] == [f"  {Limit.NO_FENCE.text}", f"  {Limit.NO_LANES.text}"]


async def findings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    monkeypatch.setattr(checkup, "engine_now", lambda _fleet: "one that answers")
    found = checkup.agents(Fleet(NAME, None, fleet_dir(NAME)))
    return [(each.about, each.standing.value, each.text) for each in found]


async def test_doctor_says_them_too_and_counts_the_agents_of_the_fleet_file_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = AgentName("agent-02")
    before = replace(FLEET, agents={**FLEET.agents, gone: replace(FLEET.agents[AGENT], name=gone)})
    await keep(FleetLoaded(spec=before, by="ana"), FleetLoaded(spec=FLEET, by="ana"), OLD)
    assert await findings(monkeypatch) == [
        (
            "release 2026.6.11 (agent-01)",
            "warn",
            f"{Limit.NO_FENCE.text}; {Limit.NO_LANES.text}",
        ),
        ("agents", "ok", "1 of 1 agent in service"),
    ]


async def test_doctor_says_that_nobody_works(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = HealthChanged(
        agent=AGENT,
        health=Health.DOWN,
        was=Health.UP,
        reason="gone",
        failure=FailureKind.GATEWAY_AUTH,
    )
    await keep(lost)
    (agent, total) = await findings(monkeypatch)
    assert agent[:2] == ("agent agent-01", "fail")
    assert agent[2].startswith("down: its gateway rejects the token, needs an operator")
    assert total == ("agents", "fail", "0 of 1 agent in service")
