"""One word and one order for tasks, on every surface."""

from collections.abc import Iterator
from itertools import islice, permutations

from msgspec.structs import replace

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import TaskId
from fleet_tui.core.tasks.filter import TASK_WORDS
from fleet_tui.core.tasks.model import AttemptPhase, HoldRecord, Task, TaskPhase, TaskSpec
from fleet_tui.core.tasks.words import TaskWord, is_held, listed, worst_first
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import Run


def test_every_phase_that_a_task_can_be_in_is_a_word_with_a_place() -> None:
    words = {word.value for word in TaskWord}
    assert words == {
        "held",
        *(phase.value for phase in TaskPhase),
        *(phase.value for phase in AttemptPhase if phase.is_open),
    }
    assert set(TASK_WORDS["state"]) == words
    assert all(word.order >= 0 for word in TaskWord)


def test_words_that_stand_together_have_one_place() -> None:
    places = [{word.value for word in TaskWord if word.order == place} for place in range(9)]
    assert places == [
        {"needs-operator"},
        {"unknown"},
        {"held"},
        {"cancelling"},
        {"running", "planned", "active"},
        {"waiting"},
        {"failed", "expired"},
        {"cancelled"},
        {"succeeded"},
    ]


def test_only_a_waiting_task_is_held() -> None:
    run = Run()
    hold = HoldRecord(by="me", reason="", since_ms=1)
    assert not is_held(run.task)
    assert not is_held(replace(run.task, hold=hold))
    assert not is_held(replace(run.task, phase=TaskPhase.WAITING))
    assert is_held(replace(run.task, phase=TaskPhase.WAITING, hold=hold))


def test_what_wants_a_person_comes_before_what_runs_and_what_failed_before_what_went_well() -> None:
    listed = sorted(TaskWord, key=lambda word: word.order)
    assert listed[:3] == [TaskWord.NEEDS_OPERATOR, TaskWord.UNKNOWN, TaskWord.HELD]
    assert listed[-2:] == [TaskWord.CANCELLED, TaskWord.SUCCEEDED]
    assert {word for word in TaskWord if word.is_problem} == {
        TaskWord.NEEDS_OPERATOR,
        TaskWord.UNKNOWN,
        TaskWord.HELD,
        TaskWord.FAILED,
        TaskWord.EXPIRED,
    }


def task(
    name: str,
    phase: TaskPhase,
    *,
    submitted: int = 0,
    ended: int | None = None,
    priority: Priority = Priority.P2,
) -> Task:
    spec = TaskSpec(payload=Untrusted("x"), priority=priority)
    made = Run().task
    return replace(
        made,
        id=TaskId(name),
        phase=phase,
        spec=spec,
        attempts=(),
        submitted_at_ms=submitted,
        ended_at_ms=ended,
    )


IN_ORDER = (
    task("asks, P1", TaskPhase.NEEDS_OPERATOR, submitted=9, priority=Priority.P1),
    task("asks, P3", TaskPhase.NEEDS_OPERATOR, submitted=1, priority=Priority.P3),
    task("runs", TaskPhase.ACTIVE, submitted=9, priority=Priority.P3),
    task("waits, P0, old", TaskPhase.WAITING, submitted=5, priority=Priority.P0),
    task("waits, P0, young 1", TaskPhase.WAITING, submitted=6, priority=Priority.P0),
    task("waits, P0, young 2", TaskPhase.WAITING, submitted=6, priority=Priority.P0),
    task("waits, P1", TaskPhase.WAITING, submitted=2, priority=Priority.P1),
    task("failed, just now", TaskPhase.FAILED, ended=9, priority=Priority.P3),
    task("expired, before", TaskPhase.EXPIRED, ended=8, priority=Priority.P0),
    task("failed, who knows when", TaskPhase.FAILED, priority=Priority.P0),
    task("cancelled 1", TaskPhase.CANCELLED, ended=3, priority=Priority.P3),
    task("cancelled 2", TaskPhase.CANCELLED, ended=3, priority=Priority.P0),
    task("done", TaskPhase.SUCCEEDED, ended=10, priority=Priority.P0),
)


def test_tasks_are_listed_in_one_order_however_they_came() -> None:
    mixed = sorted(IN_ORDER, key=lambda each: each.id[::-1])
    for some in (mixed, mixed[::-1], *islice(permutations(mixed), 0, 5_000, 1_000)):
        assert [each.id for each in listed(some)] == [each.id for each in IN_ORDER]
        assert sorted(some, key=worst_first) == list(IN_ORDER)
    assert [*listed(())] == []
    twice = [IN_ORDER[0], replace(IN_ORDER[0], reason="as it is now")]
    assert [*listed(twice)] == twice, "one that comes twice stays as it came"


def test_a_key_has_a_box_of_rank_and_priority_an_instant_and_an_id() -> None:
    assert worst_first(IN_ORDER[0]) == (1, 9, "asks, P1")
    assert worst_first(IN_ORDER[6]) == (5 * 4 + 1, 2, "waits, P1")
    assert worst_first(IN_ORDER[7]) == (6 * 4, -9, "failed, just now")
    assert worst_first(IN_ORDER[9]) == (6 * 4, 0, "failed, who knows when")


def test_what_nobody_asks_for_is_not_sorted() -> None:
    given: list[str] = []

    def come() -> Iterator[Task]:
        for each in reversed(IN_ORDER):
            given.append(each.id)
            yield each

    found = listed(come())
    assert given == []
    assert next(found).id == "asks, P1"
    assert len(given) == len(IN_ORDER)
