"""What is heard at last of a run that was given up, however many tasks ended since."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import AgentName, run_id
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import KEEP_RUNS_MS, collectable
from fleet_tui.core.tasks.events import AttemptGivenUp, TaskEnded, TaskRetrying
from fleet_tui.core.tasks.evidence import Answer, Definite, Finished, Started, Stopped, Usage
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.task import LOST, PATIENCE_MS, Run


def others_end(run: Run, count: int = MAX_CLOSED_TASKS) -> None:
    """So many other tasks end that the state forgets what ended before."""
    for task in run.story.submit_many(work(), count):
        ended = TaskEnded(task=task, phase=TaskPhase.CANCELLED, reason="cancelled by ann")
        run.story.add(ended)


def given_up(task_class: TaskClass = TaskClass.ONCE) -> Run:
    """Nothing was heard of its run for too long, and its task was cancelled then."""
    run = Run(task_class)
    run.fact(Started())
    run.hear(LOST)
    run.later(PATIENCE_MS)
    assert run.phase is AttemptPhase.GIVEN_UP
    run.story.add(TaskEnded(task=run.id, phase=TaskPhase.CANCELLED, reason="cancelled by ann"))
    return run


def test_a_late_result_of_a_task_of_any_age_is_attached_costed_and_decides_nothing() -> None:
    run = given_up()
    others_end(run)
    state = run.story.state
    assert run.id in state.unheard_tasks
    before = replace(run.task, attempts=())
    spent, ended = state.totals.cost_microusd, state.totals.succeeded
    answer = Answer(text=Untrusted("done after all"))
    run.fact(Finished(ok=True, answer=answer, usage=Usage(cost_microusd=7_000)))
    late = run.task.attempts[0]
    assert late.late
    assert (late.phase, late.answer, late.cost_microusd) == (
        AttemptPhase.GIVEN_UP,
        answer,
        7_000,
    )
    assert replace(run.task, attempts=()) == before
    assert run.story.state.totals.cost_microusd == spent + 7_000
    assert run.story.state.totals.succeeded == ended
    assert run.hear(Definite(Finished(ok=False, failure="exit-1"))) == []
    a_day_later = run.story.now_ms + KEEP_RUNS_MS
    assert collectable(run.story.state, AgentName(late.agent), a_day_later) == [run.run]


def test_a_task_that_was_heard_of_at_last_is_forgotten_like_others() -> None:
    run = given_up()
    others_end(run)
    run.fact(Stopped(usage=Usage(cost_microusd=7_000)))
    assert run.story.state.totals.cost_microusd == 7_000
    assert run.id in run.story.state.closed_tasks
    others_end(run)
    assert run.story.state.task(run.id) is None


def test_a_dead_letter_that_is_let_go_is_still_listened_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleet_tui.core.tasks.store.MAX_DEAD_LETTERS", 3)
    run = given_up()
    run.story.add(TaskRetrying(task=run.id, not_before_ms=0, reason="requeued by ann"))
    run.story.add(TaskEnded(task=run.id, phase=TaskPhase.FAILED, reason="exit-1"))
    for task in run.story.submit_many(work(), 3):
        run.story.add(TaskEnded(task=task, phase=TaskPhase.FAILED, reason="exit-1"))
    assert run.id not in run.story.state.dead_letters
    run.fact(Finished(ok=True, usage=Usage(cost_microusd=7_000)))
    assert run.story.state.totals.cost_microusd == 7_000


def test_so_many_unheard_runs_are_kept_and_the_oldest_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fleet_tui.core.tasks.store.MAX_UNHEARD", 2)
    monkeypatch.setattr("fleet_tui.core.tasks.store.MAX_CLOSED_TASKS", 1)
    story = Story(fleet(agent("a1", slots=9)))
    story.all_up()
    tasks = story.submit_many(work(), 4)
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    for task in tasks:
        story.add(AttemptGivenUp(run=run_id(task, 1), reason="a test"))
        story.add(TaskEnded(task=task, phase=TaskPhase.CANCELLED, reason="cancelled by ann"))
    assert list(story.state.unheard_tasks) == tasks[1:3]
    assert list(story.state.closed_tasks) == tasks[3:]
