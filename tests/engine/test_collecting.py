"""Runs of long ago are deleted on their hosts, whatever a host keeps."""

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fleet_tui.base.errors import FleetError
from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.fleet import ProbeSpec, Strategy
from fleet_tui.core.ids import AgentName, RunId, TaskId, run_id, split_run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.events import AttemptFinished, TaskEnded, TaskPlaced, TaskRetrying
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from fleet_tui.engine import cadence
from fleet_tui.engine import leftovers as engine_leftovers
from fleet_tui.engine.cadence import MAX_COLLECTED, OnKept, Watcher
from fleet_tui.engine.clock import WallClock
from fleet_tui.engine.leftovers import Leftovers, past_tasks_in
from fleet_tui.engine.pacing import USUAL, Pacing
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.wire.port import KeptRuns
from tests.engine.rig import running as an_engine
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.memory import FakeHost, FakePort, MemoryLedger
from tests.support.programs import until

NO_DECISION = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="p", considered=1)
AGENT = AgentName("worker")
AT_ONCE = Pacing(collect_every_s=0.0, collect_again_s=0.0)
OFTEN = Pacing(collect_every_s=0.01, collect_again_s=0.01)


class Keeping(FakePort):
    """Its host keeps some runs, and the first answer is lost."""

    kept_runs: frozenset[RunId] = frozenset()
    asked = 0

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        assert len(runs) <= MAX_COLLECTED
        self.asked += 1
        if self.asked == 1:
            return ()
        return await super().collect([run for run in runs if run not in self.kept_runs])


class Telling(FakePort):
    """Its host is away, then broken, then tells what it holds in some parts."""

    parts = 3

    def __init__(self, name: AgentName, host: FakeHost) -> None:
        super().__init__(name, host)
        self.skips: list[int] = []

    async def kept(self, skip: int) -> KeptRuns | None:
        self.skips.append(skip)
        if len(self.skips) == 1:
            return None
        if len(self.skips) == 2:
            raise RuntimeError("a bug")
        runs = [RunId(f"01KTASK.{skip + n}") for n in (1, 2)]
        return KeptRuns(runs, skip + 2 if skip + 2 < 2 * self.parts else None)


async def not_heard(_: AgentName, runs: Sequence[RunId]) -> None:
    """The state knows of all."""


def watching(
    port: FakePort,
    leftover: Callable[[], Sequence[RunId]],
    gone: set[RunId],
    on_kept: OnKept = not_heard,
    pacing: Pacing = AT_ONCE,
) -> Watcher:
    async def on_probe(result: ProbeResult) -> None:
        """Nobody looks on."""

    def on_log_lines(lines: Sequence[LogLine | LogGap]) -> None:
        """Nobody listens."""

    return Watcher(
        AGENT,
        ProbeSpec(),
        port,
        pacing=pacing,
        clock=WallClock(),
        rng=random.Random(7),
        on_probe=on_probe,
        on_log_lines=on_log_lines,
        leftover=lambda _: leftover(),
        on_kept=on_kept,
        on_collected=gone.add,
    )


async def test_what_a_host_keeps_holds_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [RunId(f"01KTASK.{n}") for n in range(4 * MAX_COLLECTED)]
    port = Keeping(AGENT, FakeHost())
    port.kept_runs = frozenset(runs[: 2 * MAX_COLLECTED])
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
        if len([each for each in pauses if each >= USUAL.collect_every_s]) > 1:
            rounds.set()
            await asyncio.Event().wait()
        return None

    monkeypatch.setattr(asyncio, "sleep", paused)
    gone: set[RunId] = set()
    watcher = watching(port, lambda: [run for run in runs if run not in gone], gone, pacing=USUAL)
    try:
        await rounds.wait()
    finally:
        await watcher.close()
    assert gone == set(runs)
    assert pauses[1:-1] == [USUAL.collect_again_s] * 4


# What the state forgets


def begun(story: Story, count: int = 1) -> list[RunId]:
    """So many tasks more that were placed on the agent."""
    tasks = story.submit_many(work(), count)
    runs = [run_id(task, 1) for task in tasks]
    story.add(
        *(
            TaskPlaced(task=task, run=run, number=1, agent=AGENT, decision=NO_DECISION)
            for task, run in zip(tasks, runs, strict=True)
        )
    )
    return runs


def ended(story: Story, count: int) -> list[RunId]:
    """So many tasks more that ran on the agent and ended."""
    runs = begun(story, count)
    events: list[Event] = []
    for run in runs:
        done = TaskEnded(task=split_run_id(run)[0], phase=TaskPhase.SUCCEEDED)
        events += [AttemptFinished(run=run, ok=True), done]
    story.add(*events)
    return runs


async def nothing(tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
    """A ledger that knows no tasks."""
    return {}


def test_what_the_state_forgets_is_due_until_its_host_has_forgotten_it() -> None:
    story = Story(fleet(agent(AGENT)))
    leftovers = Leftovers(nothing)
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


# What an engine that starts anew has to be told


def forgotten_by_all(story: Story) -> list[RunId]:
    """Three runs that ended, and so much after them that the state remembers none."""
    runs = ended(story, 3)
    ended(story, MAX_CLOSED_TASKS)
    assert all(story.state.task(split_run_id(run)[0]) is None for run in runs)
    return runs


async def test_of_what_a_host_holds_that_is_due_which_the_ledger_knows_to_be_over() -> None:
    story = Story(fleet(agent(AGENT)))
    (running,) = begun(story)
    early, *_ = forgotten_by_all(story)
    ledger = MemoryLedger()
    ledger.earlier = story.rows
    asked: list[TaskId] = []

    async def past_tasks(tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
        asked.extend(tasks)
        return await ledger.past_tasks(tasks)

    leftovers = Leftovers(past_tasks)
    remembered = leftovers.due(story.state, AGENT, story.now_ms)
    assert early not in remembered
    of = split_run_id(early)[0]
    strange = [run_id(TaskId("01KNOBODYS"), 1), run_id(of, 2), RunId("epoch"), RunId("began.x")]
    now_called = AgentName("renamed")
    await leftovers.hear(story.state, now_called, [*strange, early, running, *remembered[:2]])
    assert asked == sorted([of, TaskId("01KNOBODYS")]), "the state knows of the others"
    assert leftovers.due(story.state, now_called, story.now_ms) == [early]
    assert leftovers.due(story.state, AGENT, story.now_ms) == remembered
    leftovers.gone(early)
    assert leftovers.due(story.state, now_called, story.now_ms) == []


async def test_a_new_engine_lets_hosts_forget_what_the_one_before_it_owed_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story(fleet(agent(AGENT)))
    (running,) = begun(story)
    owed = forgotten_by_all(story)
    host = FakeHost()
    host.reachable = False
    nobodys = [f"01KNOBODYS.{n}" for n in range(3)]
    host.started = [running, *nobodys, *owed]
    async with an_engine(story.state.fleet, story.state, {AGENT: host}, pacing=OFTEN) as rig:
        rig.ledger.earlier = story.rows
        await host.mend()
        await until(lambda: set(owed) <= set(host.collected))
    assert not {running, *nobodys} & set(host.collected)


async def test_a_host_is_asked_what_it_holds_until_it_has_told_all_and_then_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = Telling(AGENT, FakeHost())
    rounds = 0

    def leftover() -> Sequence[RunId]:
        nonlocal rounds
        rounds += 1
        return ()

    watcher = watching(port, leftover, set())
    try:
        await until(lambda: rounds > 20)
    finally:
        await watcher.close()
    assert port.skips == [0, 0, 0, 2, 4], "it was away, then broken; then it told three parts"


async def test_no_more_is_listened_to_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that lies tells more for ever."""
    monkeypatch.setattr(cadence, "MAX_KEPT", 7)
    port = Telling(AGENT, FakeHost())
    port.parts = 1_000
    rounds = 0

    def leftover() -> Sequence[RunId]:
        nonlocal rounds
        rounds += 1
        return ()

    watcher = watching(port, leftover, set())
    try:
        await until(lambda: rounds > 20)
    finally:
        await watcher.close()
    assert port.skips == [0, 0, 0, 2, 4, 6]


async def test_a_ledger_that_cannot_be_read_now_is_asked_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = Telling(AGENT, FakeHost())
    heard: list[RunId] = []

    async def on_kept(_: AgentName, runs: Sequence[RunId]) -> None:
        if "later" not in caplog.text:
            raise FleetError("no descriptors are left")
        heard.extend(runs)

    watcher = watching(port, lambda: (), set(), on_kept)
    try:
        await until(lambda: len(heard) == 6)
    finally:
        await watcher.close()
    assert "what worker holds of runs is looked at later: no descriptors are left" in caplog.text
    assert port.skips == [0, 0, 0, 0, 2, 4]


async def test_tasks_are_read_of_the_ledger_in_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_leftovers, "SLICE_TASKS", 2)
    story = Story(fleet(agent(AGENT)))
    runs = ended(story, 5)
    directory = tmp_path / "state"
    directory.mkdir(0o700)
    writer = await JournalWriter.open(directory, lambda: story.now_ms, "test", 1)
    try:
        await writer.append([row.event for row in story.rows], story.now_ms)
        tasks = [split_run_id(run)[0] for run in runs]
        found = await past_tasks_in(directory)([TaskId("01KNOBODYS"), *tasks])
    finally:
        await writer.close("done")
    assert list(found) == tasks
    assert all(task.phase is TaskPhase.SUCCEEDED for task in found.values())


def test_what_is_remembered_beyond_the_state_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_leftovers, "MAX_OWED", 3)
    story = Story(fleet(agent(AGENT)))
    leftovers = Leftovers(nothing)
    runs = ended(story, 5)
    leftovers.follow(story.state, EMPTY_STATE)
    assert leftovers.due(EMPTY_STATE, AGENT, story.now_ms) == runs[2:]


def test_a_dead_letter_that_is_requeued_is_not_forgotten() -> None:
    story = Story(fleet(agent(AGENT)))
    task = story.submit(work())
    story.add(TaskEnded(task=task, phase=TaskPhase.FAILED))
    before = story.state
    story.add(TaskRetrying(task=task, not_before_ms=0, reason="a test"))
    leftovers = Leftovers(nothing)
    leftovers.follow(before, story.state)
    assert leftovers.due(story.state, AGENT, story.now_ms) == []
