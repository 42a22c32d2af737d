"""What a task answers to a filter, and what words of a filter look into."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import Priority, Strategy, TaskClass
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.routing.decision import Pending, PendingCode, RoutingDecision
from fleet_tui.core.tasks.filter import TASK_KEYS, task_text, task_value
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, HoldRecord, Task, TaskPhase
from fleet_tui.core.text.filters.nodes import Value
from tests.support.fleets import work

NOW_MS = 9_000
SPEC = replace(
    work(
        "pay the rent",
        needs=["gpu"],
        pool="general",
        client="acme",
        regions=["eu-w1"],
        priority=Priority.P1,
        task_class=TaskClass.IDEMPOTENT,
    ),
    project="claims",
    agent=AgentName("pinned"),
    labels={"team": "ops", "task": "a label"},
)
WAITING = Task(
    id=TaskId("T"),
    number=42,
    key="k",
    spec=SPEC,
    by="al",
    submitted_at_ms=2_000,
    payload_sha256="",
)
PLAIN = replace(WAITING, spec=work("do it"))
ATTEMPT = Attempt(
    run_id=RunId("T.1"),
    number=1,
    agent=AgentName("a1"),
    phase=AttemptPhase.RUNNING,
    planned_at_ms=3_000,
    decision=RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="0", considered=1),
    cost_microusd=70,
)
RUNS = replace(WAITING, phase=TaskPhase.ACTIVE, attempts=(ATTEMPT, ATTEMPT))
BY_HAND = HoldRecord(by="bo", reason="not today", since_ms=1)
NO_GPU = Pending(code=PendingCode.CAPABILITY, since_ms=1, detail="nobody has a gpu")
FULL = Pending(code=PendingCode.CAPACITY, since_ms=1, detail="all are busy")

VALUES: dict[str, Value] = {
    "task": "t-42",
    "state": "waiting",
    "prio": "P1",
    "agent": "pinned",
    "pool": "general",
    "client": "acme",
    "project": "claims",
    "wait": 7_000.0,
    "age": 7_000.0,
    "at": 2_000.0,
    "cost": 0.0,
    "tries": 0.0,
    "region": ("eu-w1",),
    "class": "idempotent",
    "cap": frozenset({"gpu"}),
    "by": "al",
    "label.team": "ops",
    "label.task": "a label",
    "label.none": None,
}


@pytest.mark.parametrize("key", VALUES)
def test_a_waiting_task_answers(key: str) -> None:
    assert task_value(WAITING, key, NOW_MS) == VALUES[key]


def test_every_key_has_an_answer() -> None:
    assert {key for key in TASK_KEYS if key != "label.*"} <= VALUES.keys()


def test_a_task_at_work_answers_for_its_attempts_and_does_not_wait() -> None:
    found = {key: task_value(RUNS, key, NOW_MS) for key in ("agent", "tries", "cost", "wait")}
    assert found == {"agent": "a1", "tries": 2.0, "cost": 140.0, "wait": None}
    assert task_value(RUNS, "age", NOW_MS) == 7_000.0


@pytest.mark.parametrize(
    ("task", "word"),
    [
        (WAITING, "waiting"),
        (replace(WAITING, pending=FULL), "waiting"),
        (replace(WAITING, pending=NO_GPU), "held"),
        (replace(WAITING, hold=BY_HAND), "held"),
        (RUNS, "running"),
        (replace(RUNS, attempts=(replace(ATTEMPT, phase=AttemptPhase.UNKNOWN),)), "unknown"),
        (replace(RUNS, attempts=(replace(ATTEMPT, phase=AttemptPhase.DIED),)), "active"),
        (replace(RUNS, phase=TaskPhase.SUCCEEDED), "succeeded"),
        (replace(RUNS, phase=TaskPhase.NEEDS_OPERATOR, hold=BY_HAND), "needs-operator"),
    ],
)
def test_one_word_says_where_a_task_stands(task: Task, word: str) -> None:
    assert task_value(task, "state", NOW_MS) == word


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (PLAIN, "t-42 waiting do it"),
        (WAITING, "t-42 waiting acme general pay the rent"),
        (RUNS, "t-42 running a1 acme general pay the rent"),
        (replace(PLAIN, hold=BY_HAND), "t-42 held bo not today do it"),
        (replace(PLAIN, pending=NO_GPU), "t-42 held capability nobody has a gpu do it"),
        (
            replace(PLAIN, phase=TaskPhase.FAILED, reason="exit-3"),
            "t-42 failed exit-3 do it",
        ),
    ],
)
def test_words_look_into_what_people_know_of_a_task(task: Task, text: str) -> None:
    assert task_text(task).split() == text.split()
