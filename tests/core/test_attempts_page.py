"""The tables of ``core/tasks/ATTEMPTS.md`` say what the code does."""

import re
from collections.abc import Callable, Mapping

import pytest

import fleet_tui.core.tasks
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import RunId, TaskId
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import RunReport, learn, reconcile_attempts
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptCheckpointed,
    AttemptEvent,
    AttemptGivenUp,
    AttemptStarted,
    AttemptUnknown,
)
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.tasks.model import AttemptPhase, CancelCause, Task
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.surroundings import CHECKOUT

PAGE = CHECKOUT / "fleet_tui" / "core" / "tasks" / "ATTEMPTS.md"

WORDS: Mapping[str, RunReport] = {
    "started": Definite(Started()),
    "runs": Definite(Running()),
    "did not start": Definite(NotStarted(reason="refused")),
    "ended well": Definite(Finished(ok=True)),
    "ended badly": Definite(Finished(ok=False, failure="exit-1")),
    "died": Definite(Died(reason="process-gone")),
    "stopped": Definite(Stopped()),
    "no answer": Unknown(LostReason.TIMEOUT),
}

CLASSES: Mapping[str, tuple[TaskClass, bool]] = {
    "once": (TaskClass.ONCE, False),
    "resumable, no checkpoint": (TaskClass.RESUMABLE, False),
    "resumable, with checkpoint": (TaskClass.RESUMABLE, True),
    "idempotent": (TaskClass.IDEMPOTENT, False),
}


def table(first: str) -> list[tuple[str, str, str]]:
    """Row, column and cell of the table whose first column is called that."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|-]+", line)
    ]
    heads = [at for at, row in enumerate(rows) if row[0] == first]
    (at,) = heads
    head = rows[at]
    found: list[tuple[str, str, str]] = []
    for row in rows[at + 1 :]:
        if len(row) != len(head) or row[0] in ("phase", "end"):
            break
        found.extend((row[0], column, cell) for column, cell in zip(head[1:], row[1:], strict=True))
    return found


class Run:
    """A task that was placed."""

    def __init__(self, task_class: TaskClass) -> None:
        self.told = Story(fleet(agent("a1")))
        self.told.all_up()
        self.id: TaskId = self.told.submit(work(task_class=task_class))
        state = self.told.state
        self.told.add(*Router(state.fleet).schedule(state, {}, self.told.now_ms))
        attempt = self.task.attempt
        assert attempt is not None
        self.run: RunId = attempt.run_id

    @property
    def task(self) -> Task:
        task = self.told.state.task(self.id)
        assert task is not None
        return task

    def hear(self, word: RunReport) -> None:
        self.told.add(*learn(self.told.state, self.run, word, self.told.now_ms))


def starts(run: RunId) -> AttemptEvent:
    return AttemptStarted(run=run)


def is_lost(run: RunId) -> AttemptEvent:
    return AttemptUnknown(run=run, reason=LostReason.TIMEOUT)


def is_late(run: RunId) -> AttemptEvent:
    return AttemptCancelling(run=run, cause=CancelCause.DEADLINE)


def is_given_up(run: RunId) -> AttemptEvent:
    return AttemptGivenUp(run=run, reason="a test")


BEFORE: Mapping[str, tuple[Callable[[RunId], AttemptEvent], ...]] = {
    "planned": (),
    "running": (starts,),
    "unknown": (starts, is_lost),
    "cancelling": (starts, is_late),
    "given-up": (starts, is_lost, is_given_up),
}


@pytest.mark.parametrize(("phase", "word", "after"), table("phase"))
def test_a_word_leads_where_the_page_says(phase: str, word: str, after: str) -> None:
    here = Run(TaskClass.IDEMPOTENT)
    here.told.add(*(event(here.run) for event in BEFORE[phase]))
    assert here.task.attempts[0].phase == phase
    here.hear(WORDS[word])
    assert here.task.attempts[0].phase == after


def ended(here: Run, end: str) -> None:
    """The attempt ends so."""
    match end:
        case "stopped for a deadline":
            here.told.add(is_late(here.run))
            here.hear(WORDS["stopped"])
        case "stopped by somebody else":
            here.hear(WORDS["stopped"])
        case "given up":
            here.told.add(is_lost(here.run))
            patience_ms = here.told.state.fleet.lost_after_ms
            assert patience_ms is not None
            here.told.now_ms += patience_ms
            here.told.add(*reconcile_attempts(here.told.state, here.told.now_ms))
            assert here.task.attempts[0].phase is AttemptPhase.GIVEN_UP
        case _:  # a word of the first table
            here.hear(WORDS[end])


@pytest.mark.parametrize(("end", "kind", "after"), table("end"))
def test_an_end_leaves_the_task_where_the_page_says(end: str, kind: str, after: str) -> None:
    task_class, has_checkpoint = CLASSES[kind]
    here = Run(task_class)
    if end != "did not start":
        here.told.add(starts(here.run))
    if has_checkpoint:
        mark = Checkpoint(text=Untrusted("half"), sha256="0" * 64)
        here.told.add(AttemptCheckpointed(run=here.run, checkpoint=mark))
    ended(here, end)
    assert here.task.phase == after


def test_the_page_has_all_of_both() -> None:
    assert {word for _, word, _ in table("phase")} == set(WORDS)
    assert {phase for phase, _, _ in table("phase")} == set(BEFORE)
    open_phases = {phase.value for phase in AttemptPhase if phase.is_open}
    assert open_phases < set(BEFORE)
    assert {kind for _, kind, _ in table("end")} == set(CLASSES)
    assert {c for c, _ in CLASSES.values()} == set(TaskClass)
    assert PAGE.parent.name == fleet_tui.core.tasks.__name__.rpartition(".")[2]
