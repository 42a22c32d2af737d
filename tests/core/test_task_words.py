"""One word and one order for tasks, on every surface."""

from msgspec.structs import replace

from fleet_tui.core.tasks.filter import TASK_WORDS
from fleet_tui.core.tasks.model import AttemptPhase, HoldRecord, TaskPhase
from fleet_tui.core.tasks.words import TaskWord, is_held
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
