"""What ``why`` prints of a task that waits: the agents it waits for, what is wrong, the cure."""

from pathlib import Path

import pytest

from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.troubles import MAX_NAMED
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import AgentName
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

NAME = "demo"

pytestmark = pytest.mark.usefixtures("own_process")


def lost(name: str, kind: FailureKind, said: str = "") -> HealthChanged:
    return HealthChanged(
        agent=AgentName(name),
        health=Health.DOWN,
        was=Health.UP,
        reason="probe failed",
        failure=kind,
        detail=Untrusted(said),
    )


async def why(story: Story, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is printed of the story's only task, after a look of the router at it."""
    story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    writer = await JournalWriter.open(fleet_dir(NAME), lambda: story.now_ms, "v", 1)
    await writer.append([row.event for row in story.rows], story.now_ms)
    await writer.close("x")
    assert run(["why", "-f", NAME, "t-1"]) == 0
    return capsys.readouterr().out.splitlines()


async def test_each_agent_that_a_task_waits_for_is_named_with_its_fault_and_its_cure(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story = Story(fleet(agent("cleo"), agent("bert"), agent("anna")))
    story.all_up()
    story.add(
        lost("cleo", FailureKind.GATEWAY_AUTH, "unauthorized: token\x1b[2J mismatch"),
        lost("bert", FailureKind.GATEWAY_DOWN),
    )
    story.cordon("anna")
    told = await why(story, capsys)
    at = told.index("- What is wrong now with agents that would fit -")
    assert told[at + 1 : at + 7] == [
        " cleo  down: its gateway rejects the token, needs an operator:"
        " unauthorized: token␛[2J mismatch",
        " correct the token at the place that the fleet file names; it is reread automatically",
        " bert  down: its gateway is not running",
        " start the gateway on its host, or correct its port in the fleet file",
        " anna  cordoned by me",
        " `fleet-tui uncordon anna` returns it to routing",
    ]
    at = told.index("- What would help -")
    assert told[at + 1] == " uncordon anna"


async def test_of_many_agents_a_few_are_named_and_that_there_are_others(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"a{number}" for number in range(MAX_NAMED + 1)]
    story = Story(fleet(*map(agent, names)))
    story.all_up()
    story.add(*(lost(name, FailureKind.SSH_AUTH) for name in names))
    told = await why(story, capsys)
    assert sum(line.startswith(" a") and "  down: " in line for line in told) == MAX_NAMED
    assert " and others" in told
