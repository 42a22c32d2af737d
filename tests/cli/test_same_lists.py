"""The lists of the command line and those of the console: the same words in the same order."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.console.text.cells import line_text
from fleet_tui.console.text.glyphs import UNICODE
from fleet_tui.console.text.looks import task_cell
from fleet_tui.console.views.agents.rows import agent_cells, agent_rows
from fleet_tui.console.views.tasks.table import TasksPane
from fleet_tui.core.agents.events import AgentCordoned, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.words import AgentWord
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName, TaskId, run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.events import (
    AttemptStarted,
    AttemptUnknown,
    TaskEnded,
    TaskHeld,
    TaskNeedsOperator,
    TaskPlaced,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.tasks.words import TaskWord
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import AGENT, FLEET, task_story
from tests.support.console import console, running, until
from tests.support.fake_feed import FakeFeed

NOW_MS = 1_795_000_000_000
AGENTS = [AgentName(f"agent-{n:02d}") for n in range(1, 7)]
HEALTH = dict(
    zip(AGENTS, (Health.UP, Health.UP, Health.DEGRADED, Health.DOWN, Health.UP), strict=False)
)

pytestmark = pytest.mark.usefixtures("own_process")

Call = Callable[..., str]


def opening() -> list[Event]:
    """Six agents: one is down, one slow, one kept out by an operator, one not asked yet."""
    agents = {name: replace(FLEET.agents[AGENT], name=name) for name in AGENTS}
    changes = [
        HealthChanged(agent=name, health=health, was=Health.JOINING, reason="a test")
        for name, health in HEALTH.items()
    ]
    kept_out = AgentCordoned(agent=AGENTS[1], by="ana", reason="a test")
    return [FleetLoaded(spec=replace(FLEET, agents=agents), by="ana"), *changes, kept_out]


def stories() -> Iterable[list[Event]]:
    """What becomes of tasks, each a second after the one before; none in the order of a list."""
    numbers = iter(range(1, 100))

    def begun(priority: Priority = Priority.P2) -> tuple[TaskId, list[Event]]:
        submitted, placed, *_ = task_story(next(numbers))
        assert isinstance(submitted, TaskSubmitted)
        assert isinstance(placed, TaskPlaced)
        spec = replace(submitted.spec, priority=priority)
        return submitted.task, [replace(submitted, spec=spec), placed]

    def ended(phase: TaskPhase) -> list[Event]:
        task, events = begun()
        return [events[0], TaskEnded(task=task, phase=phase, reason="a test")]

    yield task_story(next(numbers))
    yield ended(TaskPhase.FAILED)
    yield begun()[1][:1]
    yield begun(Priority.P0)[1][:1]
    yield begun()[1]
    task, events = begun()
    yield [*events, AttemptStarted(run=run_id(task, 1))]
    task, events = begun()
    yield [*events, AttemptUnknown(run=run_id(task, 1), reason=LostReason.CONNECTION_LOST)]
    task, events = begun(Priority.P3)
    yield [events[0], TaskHeld(task=task, by="ana")]
    yield ended(TaskPhase.CANCELLED)
    yield ended(TaskPhase.EXPIRED)
    task, events = begun(Priority.P3)
    yield [events[0], TaskNeedsOperator(task=task, reason="a test")]
    yield task_story(next(numbers))


@pytest.fixture
async def state(here: Path) -> FleetState:
    """What the ledger of the fleet ``demo`` tells."""
    del here
    writer = await JournalWriter.open(fleet_dir("demo"), lambda: NOW_MS, "v", 1)
    await writer.append(opening(), NOW_MS)
    for n, events in enumerate(stories()):
        await writer.append(events, NOW_MS + 1_000 * n)
    await writer.close("x")
    return writer.state


@pytest.fixture
def call(state: FleetState, capsys: pytest.CaptureFixture[str]) -> Call:
    """What a command about the fleet prints."""
    del state

    def called(*words: str) -> str:
        assert run([words[0], "-f", "demo", *words[1:]]) == 0
        return capsys.readouterr().out

    return called


def columns(printed: str, pattern: str) -> list[tuple[str, ...]]:
    return [found.groups() for found in re.finditer(pattern, printed, re.MULTILINE)]


async def test_tasks_are_listed_by_the_same_words_in_the_same_order(
    state: FleetState, call: Call
) -> None:
    printed = columns(call("tasks"), r"^(t-\d+) +(P\d) +(\S+)")
    app = console(FakeFeed(state=state, probes={}))
    async with running(app) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: bool(app.screen.query(TasksPane)), "the tasks")
        pane = app.screen.query_one(TasksPane)
        await until(pilot, lambda: len(pane.shown_records) == len(printed), "all of them")
        rows = pane.shown_records
        shown = [tuple(pane.cells(row)[key].text for key in ("number", "prio")) for row in rows]
        states = [pane.cells(row)["state"].text for row in rows]
    assert shown == [each[:2] for each in printed]
    assert states == [task_cell(UNICODE, TaskWord(word)).text for *_, word in printed]
    assert {word for *_, word in printed} >= {"needs-operator", "unknown", "held", "expired"}
    for limit in range(1, len(printed)):
        some = columns(call("tasks", "--limit", str(limit)), r"^(t-\d+) +(P\d) +(\S+)")
        assert some == printed[:limit], "what is cut off is what an operator can wait for longest"


def test_agents_are_listed_by_the_same_words_in_the_same_order(
    state: FleetState, call: Call
) -> None:
    printed = columns(call("agents"), r"^(\S+) +(agent-\d+)")
    rows = agent_rows(FakeFeed(state=state, probes={}).view(), {})
    shown = [agent_cells(row, UNICODE) for row in rows]
    assert [cells["agent"].text for cells in shown] == [name for _, name in printed]
    for cells, (word, _) in zip(shown, printed, strict=True):
        assert AgentWord(word).value in line_text([cells["state"]])
    assert [word for word, _ in printed] == [
        "down",
        "degraded",
        "joining",
        "cordoned",
        "up",
        "up",
    ]
