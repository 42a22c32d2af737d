"""Ids are made, read again, and told from what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.ids import RunId, TaskId, run_id, split_run_id, task_label, task_number


@given(st.text(min_size=1), st.integers(1))
def test_a_run_id_tells_its_task_and_its_attempt(task: str, attempt: int) -> None:
    assert split_run_id(run_id(TaskId(task), attempt)) == (task, attempt)
    assert split_run_id(run_id(TaskId(f"{task}.1"), attempt)) == (f"{task}.1", attempt)


def test_the_first_attempt_is_the_lowest() -> None:
    assert run_id(TaskId("T"), 1) == "T.1"
    with pytest.raises(AssertionError):
        run_id(TaskId("T"), 0)


@pytest.mark.parametrize("text", ["", "T", ".1"])
def test_what_names_no_task_is_no_run_id(text: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        split_run_id(RunId(text))


def test_a_task_is_known_by_its_label_or_its_number() -> None:
    assert task_label(42) == "t-42"
    assert task_number("t-42") == 42
    assert task_number("42") == 42
    assert task_number("999999999999999") == 999_999_999_999_999


@pytest.mark.parametrize(
    "text", ["", "t-", "T-42", "42t-", "t-t-42", "all", "-1", "4.2", "٤٢", "²", "1" * 16]
)
def test_what_is_no_number_of_a_task(text: str) -> None:
    assert task_number(text) is None
