"""One word and one order for tasks, on every surface."""

from fleet_tui.core.state import AttemptPhase, TaskPhase
from fleet_tui.core.task_filter import TASK_WORDS
from fleet_tui.core.task_words import TaskWord


def test_every_phase_that_a_task_can_be_in_is_a_word_with_a_place() -> None:
    words = {word.value for word in TaskWord}
    assert words == {
        "held",
        *(phase.value for phase in TaskPhase),
        *(phase.value for phase in AttemptPhase if phase.is_open),
    }
    assert set(TASK_WORDS["state"]) == words
    assert all(word.order >= 0 for word in TaskWord)


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
