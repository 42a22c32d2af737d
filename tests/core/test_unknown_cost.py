"""A cost that nobody knows is not told as none."""

import pytest

from fleet_tui.core.status import summarize
from fleet_tui.core.tasks.evidence import Finished, Started, Usage
from fleet_tui.core.text import words
from tests.support.task import Run


@pytest.mark.parametrize(
    ("microusd", "is_unknown", "told"),
    [(0, False, "-"), (0, True, "?"), (310_000, False, "$0.31"), (310_000, True, "$0.31+?")],
)
def test_what_something_cost_in_words(microusd: int, is_unknown: bool, told: str) -> None:
    assert words.cost(microusd, is_unknown=is_unknown) == told


@pytest.mark.parametrize(
    ("microusd_per_hour", "is_unknown", "told"),
    [
        (0, False, "$0.00/h"),
        (0, True, "?/h"),
        (4_120_000, False, "$4.12/h"),
        (4_120_000, True, "$4.12+?/h"),
    ],
)
def test_what_something_costs_an_hour_in_words(
    microusd_per_hour: int, is_unknown: bool, told: str
) -> None:
    assert words.cost_rate(microusd_per_hour, is_unknown=is_unknown) == told


def test_a_task_remembers_that_a_run_of_it_reported_what_is_no_cost() -> None:
    run = Run()
    run.fact(Started())
    assert not run.task.has_unknown_cost
    run.fact(Finished(ok=True, usage=Usage(unusable=True)))
    assert run.task.has_unknown_cost
    assert run.task.cost_microusd == 0


def test_an_agent_and_the_hour_remember_it_too() -> None:
    run = Run()
    run.fact(Started())
    where = run.task.attempts[0].agent
    assert not run.story.state.agents[where].has_unknown_cost
    run.fact(Finished(ok=True, usage=Usage(unusable=True)))
    assert run.story.state.agents[where].has_unknown_cost
    assert summarize(run.story.state, run.story.now_ms).has_unknown_cost
    assert not summarize(run.story.state, run.story.now_ms + 3_600_000).has_unknown_cost
