"""A cost that nobody knows is not told as none."""

import pytest

from fleet_tui.core.tasks.evidence import Finished, Started, Usage
from fleet_tui.core.text import words
from tests.support.task import Run


@pytest.mark.parametrize(
    ("microusd", "is_unknown", "told"),
    [(0, False, "-"), (0, True, "?"), (310_000, False, "$0.31"), (310_000, True, "$0.31+?")],
)
def test_what_something_cost_in_words(microusd: int, is_unknown: bool, told: str) -> None:
    assert words.cost(microusd, is_unknown=is_unknown) == told


def test_a_task_remembers_that_a_run_of_it_reported_what_is_no_cost() -> None:
    run = Run()
    run.fact(Started())
    assert not run.task.has_unknown_cost
    run.fact(Finished(ok=True, usage=Usage(unusable=True)))
    assert run.task.has_unknown_cost
    assert run.task.cost_microusd == 0
