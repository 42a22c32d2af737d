"""The tables of ``core/tasks/ATTEMPTS.md`` say what the code does."""

import re
from collections.abc import Callable, Mapping
from typing import get_args

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import Deadlines, RetryPolicy, TaskClass
from fleet_tui.core.ids import RunId, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import RunReport, learn, reconcile_attempts
from fleet_tui.core.tasks.commands import Cancel, Resolve, Verdict
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
)
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    Died,
    Fact,
    Finished,
    LateWord,
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

REPORTS: Mapping[str, RunReport] = {
    "started": Definite(Started()),
    "runs": Definite(Running()),
    "did not start": Definite(NotStarted(reason="refused")),
    "is fenced": Definite(NotStarted(reason="no answer", fenced=True)),
    "was given back": Definite(NotStarted(reason="withdrawn", withdrawn=True)),
    "ended well": Definite(Finished(ok=True)),
    "ended badly": Definite(Finished(ok=False, failure="exit-1")),
    "died": Definite(Died(reason="process-gone")),
    "stopped": Definite(Stopped()),
    "no answer": Unknown(LostReason.TIMEOUT),
    "takes no stop": Unknown(LostReason.CANNOT_CANCEL),
}

CLASSES: Mapping[str, tuple[TaskClass, bool]] = {
    "once": (TaskClass.ONCE, False),
    "resumable, no checkpoint": (TaskClass.RESUMABLE, False),
    "resumable, with checkpoint": (TaskClass.RESUMABLE, True),
    "idempotent": (TaskClass.IDEMPOTENT, False),
}


TABLES = ("phase", "end", "last end")


def table(first: str, number: int = 0) -> list[tuple[str, str, str]]:
    """Row, column and cell of the table whose first column is called that, the first of them or a
    later one."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not re.fullmatch(r"[|-]+", line)
    ]
    heads = [at for at, row in enumerate(rows) if row[0] == first]
    at = heads[number]
    head = rows[at]
    found: list[tuple[str, str, str]] = []
    for row in rows[at + 1 :]:
        if len(row) != len(head) or row[0] in TABLES:
            break
        found.extend((row[0], column, cell) for column, cell in zip(head[1:], row[1:], strict=True))
    return found


class Run:
    """A task that was placed."""

    def __init__(
        self, task_class: TaskClass, deadlines: Deadlines | None = None, max_attempts: int = 3
    ) -> None:
        retry = RetryPolicy(max_attempts=max_attempts)
        self.told = Story(fleet(agent("a1"), retry=retry))
        self.told.all_up()
        self.id: TaskId = self.told.submit(work(task_class=task_class, deadlines=deadlines))
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

    @property
    def phase(self) -> AttemptPhase:
        """Of its first attempt."""
        return self.task.attempts[0].phase

    def hear(self, report: RunReport) -> None:
        self.told.add(*learn(self.told.state, self.run, report, self.told.now_ms))

    def wait(self, ms: int) -> None:
        self.told.now_ms += ms
        self.told.add(*reconcile_attempts(self.told.state, self.told.now_ms))

    def ask(self, command: Command) -> None:
        """A refusal changes nothing."""
        verdict = decide(self.told.state, "ops", command, self.told.now_ms)
        self.told.add(*(verdict.events if isinstance(verdict, Decided) else ()))


def starts(run: RunId) -> AttemptEvent:
    return AttemptStarted(run=run)


def is_lost(run: RunId) -> AttemptEvent:
    return AttemptUnknown(run=run, reason=LostReason.TIMEOUT)


def is_late(run: RunId) -> AttemptEvent:
    return AttemptCancelling(run=run, cause=CancelCause.DEADLINE)


def is_given_up(run: RunId) -> AttemptEvent:
    return AttemptGivenUp(run=run, reason="a test")


def ends(ok: bool) -> Callable[[RunId], AttemptEvent]:
    return lambda run: AttemptFinished(run=run, ok=ok)


def does_not_start(fenced: bool) -> Callable[[RunId], AttemptEvent]:
    return lambda run: AttemptNotStarted(run=run, reason="refused", fenced=fenced)


def dies(run: RunId) -> AttemptEvent:
    return AttemptDied(run=run, reason="process-gone")


def is_stopped(run: RunId) -> AttemptEvent:
    return AttemptStopped(run=run)


Before = Mapping[str, tuple[Callable[[RunId], AttemptEvent], ...]]

BEFORE: Before = {
    "planned": (),
    "running": (starts,),
    "unknown": (starts, is_lost),
    "cancelling": (starts, is_late),
    "given-up": (starts, is_lost, is_given_up),
}

ENDED: Before = {
    "not-started": (does_not_start(fenced=False),),
    "fenced": (does_not_start(fenced=True),),
    "died": (starts, dies),
    "succeeded": (starts, ends(ok=True)),
    "failed": (starts, ends(ok=False)),
    "cancelled": (starts, is_stopped),
    "timed-out": (starts, is_late, is_stopped),
}


def arrive(here: Run, phase: str) -> None:
    """The attempt comes to that phase."""
    here.told.add(*(event(here.run) for event in {**BEFORE, **ENDED}[phase]))
    assert here.phase == phase


def cells(number: int) -> list[tuple[str, str, str]]:
    """Phase, column and phase after it of a table of phases, each ended phase for itself."""
    return [
        (phase, column, after if row != "ended" else {"ended": phase}[after])
        for row, column, after in table("phase", number)
        for phase in (ENDED if row == "ended" else (row,))
    ]


@pytest.mark.parametrize(("phase", "report", "after"), cells(0))
def test_a_report_leads_where_the_page_says(phase: str, report: str, after: str) -> None:
    here = Run(TaskClass.IDEMPOTENT)
    arrive(here, phase)
    here.hear(REPORTS[report])
    assert here.phase == after


@pytest.mark.parametrize("reason", LostReason)
def test_each_way_to_have_no_answer_is_one_of_two(reason: LostReason) -> None:
    report = "takes no stop" if reason is LostReason.CANNOT_CANCEL else "no answer"
    for phase, column, after in cells(0):
        if column == report:
            here = Run(TaskClass.IDEMPOTENT)
            arrive(here, phase)
            here.hear(Unknown(reason))
            assert here.phase == after, phase


MINUTE_MS = 60_000


def is_gone(here: Run) -> None:
    """Its host says so."""
    (name,) = here.told.state.agents
    here.told.add(
        HealthChanged(
            agent=name,
            health=Health.DOWN,
            was=Health.UP,
            reason="a test",
            failure=FailureKind.GATEWAY_DOWN,
        )
    )
    here.wait(0)


def is_judged(here: Run) -> None:
    verdict = Verdict.RAN
    here.ask(Resolve(task=here.id, run=here.run, verdict=verdict, reason="a test"))


def after_a_minute(here: Run) -> None:
    here.wait(MINUTE_MS)


def after_all_patience(here: Run) -> None:
    patience_ms = here.told.state.fleet.lost_after_ms
    assert patience_ms is not None
    here.wait(patience_ms)


CHANGES: Mapping[str, tuple[Deadlines, Callable[[Run], None]]] = {
    "not started in time": (Deadlines(schedule_to_start_ms=MINUTE_MS), after_a_minute),
    "runs for too long": (Deadlines(start_to_close_ms=MINUTE_MS), after_a_minute),
    "was silent for too long": (Deadlines(heartbeat_ms=MINUTE_MS), after_a_minute),
    "unknown for too long": (Deadlines(start_to_close_ms=None), after_all_patience),
    "its agent is gone": (Deadlines(), is_gone),
    "is cancelled": (Deadlines(), lambda here: here.ask(Cancel(tasks=(here.id,)))),
    "is judged": (Deadlines(), is_judged),
}


@pytest.mark.parametrize(("phase", "change", "after"), cells(1))
def test_time_and_people_lead_where_the_page_says(phase: str, change: str, after: str) -> None:
    deadlines, act = CHANGES[change]
    here = Run(TaskClass.IDEMPOTENT, deadlines)
    arrive(here, phase)
    act(here)
    assert here.phase == after


QUIET: tuple[AttemptEvent, ...] = (
    AttemptCancelRefused(run=RunId("t.1"), detail=Untrusted("draining")),
    AttemptCheckpointed(
        run=RunId("t.1"), checkpoint=Checkpoint(text=Untrusted("half"), sha256="0" * 64)
    ),
    AttemptTroubled(run=RunId("t.1"), trouble=None),
    AttemptSuspended(run=RunId("t.1"), suspended=True),
    AttemptLate(run=RunId("t.1"), ok=True),
    AttemptTold(run=RunId("t.1"), says=LateWord.DIED),
)
"""Facts that change no phase."""


@pytest.mark.parametrize("event", QUIET, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("phase", [*BEFORE, *ENDED])
def test_a_fact_without_a_column_changes_no_phase(phase: str, event: AttemptEvent) -> None:
    here = Run(TaskClass.IDEMPOTENT)
    arrive(here, phase)
    here.told.add(replace(event, run=here.run))
    assert here.phase == phase


def ended(here: Run, end: str) -> None:
    """The attempt ends so."""
    match end:
        case "stopped for a deadline":
            here.told.add(is_late(here.run))
            here.hear(REPORTS["stopped"])
        case "stopped by somebody else":
            here.hear(REPORTS["stopped"])
        case "given up":
            here.told.add(is_lost(here.run))
            after_all_patience(here)
            assert here.phase is AttemptPhase.GIVEN_UP
        case _:  # a report of the first table
            here.hear(REPORTS[end])


@pytest.mark.parametrize(
    ("end", "kind", "after", "max_attempts"),
    [*((*cell, 3) for cell in table("end")), *((*cell, 1) for cell in table("last end"))],
)
def test_an_end_leaves_the_task_where_the_page_says(
    end: str, kind: str, after: str, max_attempts: int
) -> None:
    task_class, has_checkpoint = CLASSES[kind]
    here = Run(task_class, max_attempts=max_attempts)
    if end != "did not start":
        here.told.add(starts(here.run))
    if has_checkpoint:
        mark = Checkpoint(text=Untrusted("half"), sha256="0" * 64)
        here.told.add(AttemptCheckpointed(run=here.run, checkpoint=mark))
    ended(here, end)
    assert here.task.phase == after


def test_the_page_has_all_of_them() -> None:
    for number, columns in enumerate((REPORTS, CHANGES)):
        found = table("phase", number)
        assert {column for _, column, _ in found} == set(columns)
        assert {row for row, _, _ in found} == {*BEFORE, "ended"}
    assert {*BEFORE, *ENDED} == {phase.value for phase in AttemptPhase}
    for first, left_out in (("end", set[str]()), ("last end", {"ended well"})):
        found = table(first)
        assert {kind for _, kind, _ in found} == set(CLASSES)
        assert {row for row, _, _ in found} == {row for row, _, _ in table("end")} - left_out
    assert {c for c, _ in CLASSES.values()} == set(TaskClass)
    facts = {type(r.value) for r in REPORTS.values() if isinstance(r, Definite)}
    assert facts == set(get_args(Fact))


def test_each_fact_about_an_attempt_is_in_a_table_or_changes_no_phase() -> None:
    told: set[type] = set()
    for phase, column, _ in (*cells(0), *cells(1)):
        deadlines, act = CHANGES.get(column, (None, None))
        here = Run(TaskClass.IDEMPOTENT, deadlines)
        arrive(here, phase)
        before = len(here.told.rows)
        if act is None:
            here.hear(REPORTS[column])
        else:
            act(here)
        told |= {type(row.event) for row in here.told.rows[before:]}
    assert told | {type(event) for event in QUIET} >= set(get_args(AttemptEvent))
