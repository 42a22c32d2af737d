"""Runs of long ago are deleted on their hosts, whatever a host keeps."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest

from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.fleet import ProbeSpec, Strategy
from fleet_tui.core.ids import AgentName, RunId, run_id, split_run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import EMPTY_STATE, MAX_CLOSED_TASKS
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.events import AttemptFinished, TaskEnded, TaskPlaced, TaskRetrying
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.engine import cadence
from fleet_tui.engine import leftovers as engine_leftovers
from fleet_tui.engine.cadence import MAX_COLLECTED, Watcher
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.leftovers import Leftovers
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.memory import FakeHost, FakePort
from tests.support.programs import until

NO_DECISION = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="p", considered=1)
AGENT = AgentName("worker")


class Keeping(FakePort):
    """Its host keeps some runs, and the first answer is lost."""

    kept: frozenset[RunId] = frozenset()
    asked = 0

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        assert len(runs) <= MAX_COLLECTED
        self.asked += 1
        if self.asked == 1:
            return ()
        return await super().collect([run for run in runs if run not in self.kept])


def watching(port: FakePort, leftover: Callable[[], Sequence[RunId]], gone: set[RunId]) -> Watcher:
    async def on_probe(result: ProbeResult) -> None:
        """Nobody looks on."""

    def on_log_lines(lines: Sequence[LogLine | LogGap]) -> None:
        """Nobody listens."""

    return Watcher(
        AGENT,
        ProbeSpec(),
        port,
        clock=WallClock(),
        rng=random.Random(7),
        on_probe=on_probe,
        on_log_lines=on_log_lines,
        leftover=lambda _: leftover(),
        on_collected=gone.add,
    )


async def test_what_a_host_keeps_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [RunId(f"01KTASK.{n}") for n in range(4 * MAX_COLLECTED)]
    port = Keeping(AGENT, FakeHost())
    port.kept = frozenset(runs[: 2 * MAX_COLLECTED])
    monkeypatch.setattr(cadence, "COLLECT_EVERY_S", 0.0)
    monkeypatch.setattr(cadence, "COLLECT_AGAIN_S", 0.0)
    gone: set[RunId] = set()
    watcher = watching(port, lambda: [run for run in runs if run not in gone], gone)
    try:
        await until(lambda: len(gone) >= 2 * MAX_COLLECTED)
    finally:
        await watcher.close()
    assert sorted(port.host.collected) == sorted(gone) == sorted(runs[2 * MAX_COLLECTED :])


async def test_a_thousand_runs_are_collected_in_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch after batch, as long as the host deletes; then it waits for the next round."""
    runs = [RunId(f"01KTASK.{n}") for n in range(1_000)]
    port = FakePort(AGENT, FakeHost())
    pauses: list[float] = []
    rounds = asyncio.Event()
    sleep = asyncio.sleep

    async def paused(seconds: float) -> None:
        task = asyncio.current_task()
        if task is None or not task.get_name().startswith("collect"):
            return await sleep(seconds)
        pauses.append(seconds)
        if len([each for each in pauses if each >= cadence.COLLECT_EVERY_S]) > 1:
            rounds.set()
            await asyncio.Event().wait()
        return None

    monkeypatch.setattr(asyncio, "sleep", paused)
    gone: set[RunId] = set()
    watcher = watching(port, lambda: [run for run in runs if run not in gone], gone)
    try:
        await rounds.wait()
    finally:
        await watcher.close()
    assert gone == set(runs)
    assert pauses[1:-1] == [cadence.COLLECT_AGAIN_S] * 4


# What the state forgets


def ended(story: Story, count: int) -> list[RunId]:
    """So many tasks more that ran on the agent and ended."""
    events: list[Event] = []
    for task in story.submit_many(work(), count):
        placed = TaskPlaced(
            task=task, run=run_id(task, 1), number=1, agent=AGENT, decision=NO_DECISION
        )
        done = AttemptFinished(run=placed.run, ok=True)
        events += [placed, done, TaskEnded(task=task, phase=TaskPhase.SUCCEEDED)]
    story.add(*events)
    return [event.run for event in events if isinstance(event, TaskPlaced)]


def test_what_the_state_forgets_is_due_until_its_host_has_forgotten_it() -> None:
    story = Story(fleet(agent(AGENT)))
    leftovers = Leftovers()
    early, late = ended(story, 2)
    leftovers.gone(early)
    before = story.state
    ended(story, MAX_CLOSED_TASKS)
    assert story.state.task(split_run_id(late)[0]) is None
    leftovers.follow(before, story.state)
    due = leftovers.due(story.state, AGENT, story.now_ms)
    assert due[0] == late, "nobody told its host to forget it"
    assert early not in due
    assert len(due) == 1 + MAX_CLOSED_TASKS // 2
    assert leftovers.due(story.state, AgentName("other"), story.now_ms) == []
    for run in due:
        leftovers.gone(run)
    assert leftovers.due(story.state, AGENT, story.now_ms) == []
    leftovers.follow(story.state, story.state)
    assert leftovers.due(story.state, AGENT, story.now_ms) == []


def test_what_is_remembered_beyond_the_state_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_leftovers, "MAX_OWED", 3)
    story = Story(fleet(agent(AGENT)))
    leftovers = Leftovers()
    runs = ended(story, 5)
    leftovers.follow(story.state, EMPTY_STATE)
    assert leftovers.due(EMPTY_STATE, AGENT, story.now_ms) == runs[2:]


def test_a_dead_letter_that_is_requeued_is_not_forgotten() -> None:
    story = Story(fleet(agent(AGENT)))
    task = story.submit(work())
    story.add(TaskEnded(task=task, phase=TaskPhase.FAILED))
    before = story.state
    story.add(TaskRetrying(task=task, not_before_ms=0, reason="a test"))
    leftovers = Leftovers()
    leftovers.follow(before, story.state)
    assert leftovers.due(story.state, AGENT, story.now_ms) == []
