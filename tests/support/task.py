"""One task and its attempts, taken through a course of facts and time."""

from fleet_tui.core.fleet import Deadlines, RetryPolicy, TaskClass
from fleet_tui.core.ids import RunId
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import RunReport, learn, reconcile_attempts
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.tasks.evidence import Definite, Fact, LostReason, Running, Unknown
from fleet_tui.core.tasks.heartbeat import Beat, Ear, sign_of_life
from fleet_tui.core.tasks.model import AttemptPhase, Task
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

LOST = Unknown(LostReason.CONNECTION_LOST)
PATIENCE_MS = 900_000
"""A fleet's ``lost_after`` where the file says nothing."""
PULSE_MS = 30_000
PULSE = Deadlines(heartbeat_ms=PULSE_MS)


class Run:
    """One task and its newest attempt."""

    def __init__(
        self,
        task_class: TaskClass = TaskClass.ONCE,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.story = Story(fleet(agent("a1"), agent("a2"), retry=retry))
        self.story.all_up()
        self.id = self.story.submit(work(task_class=task_class, deadlines=deadlines))
        self.beats: dict[RunId, Beat] = {}
        self.place()

    def place(self) -> RunId:
        self.story.now_ms = max(self.story.now_ms, self.task.not_before_ms) + 1
        events = Router(self.story.state.fleet).schedule(self.story.state, {}, self.story.now_ms)
        self.story.add(*events)
        (placed,) = (e for e in events if isinstance(e, TaskPlaced))
        self.run = placed.run
        return placed.run

    @property
    def task(self) -> Task:
        task = self.story.state.task(self.id)
        assert task is not None
        return task

    @property
    def phase(self) -> AttemptPhase:
        assert self.task.attempt is not None
        return self.task.attempt.phase

    def later(self, ms: int) -> list[object]:
        """Time passes."""
        self.story.now_ms += ms
        events = reconcile_attempts(self.story.state, self.story.now_ms, Ear(beats=self.beats))
        self.story.add(*events)
        return list(events)

    def beat(self, word: Running) -> None:
        """A sign of life, as the engine remembers it."""
        self.beats[self.run] = sign_of_life(self.beats.get(self.run), word, self.story.now_ms)
        self.hear(Definite(word))

    def hear(self, word: RunReport) -> list[object]:
        events = learn(self.story.state, self.run, word, self.story.now_ms)
        self.story.add(*events)
        return [type(e) for e in events]

    def fact(self, fact: Fact) -> list[object]:
        return self.hear(Definite(fact))

    def pass_time(self, ms: int) -> list[object]:
        self.story.now_ms += ms
        events = reconcile_attempts(self.story.state, self.story.now_ms)
        self.story.add(*events)
        return [type(e) for e in events]
