"""What follows from silence, and what is heard of work that was given up."""

from fleet_tui.core.agents.events import FailoverBraked, FailoverResumed
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import PoolName
from fleet_tui.core.tasks.attempts import LISTEN_FIRST_MS, is_unwanted, reconcile_attempts
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptGivenUp,
    AttemptTold,
    TaskCancelRequested,
    TaskEnded,
    TaskRetrying,
)
from fleet_tui.core.tasks.evidence import Died, Finished, LateWord, NotStarted, Running, Started
from fleet_tui.core.tasks.heartbeat import Ear
from fleet_tui.core.tasks.model import TaskPhase
from tests.core.test_attempts import mark
from tests.support.fleets import agent, fleet
from tests.support.task import LOST, PATIENCE_MS, PULSE, PULSE_MS, Run


def given_up(task_class: TaskClass = TaskClass.ONCE, *, started: bool = True) -> Run:
    """Work about which an operator is asked."""
    run = Run(task_class)
    if started:
        run.fact(Running(checkpoint=mark("page 1")))
    run.hear(LOST)
    assert AttemptGivenUp in run.pass_time(PATIENCE_MS)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    return run


def test_a_proof_that_it_never_started_spares_the_operator_the_question() -> None:
    run = given_up(started=False)
    fenced = NotStarted(reason="fenced", fenced=True)
    assert run.fact(fenced) == [AttemptTold, TaskRetrying]
    assert run.task.phase is TaskPhase.WAITING
    assert run.task.attempts[0].late_word is LateWord.NEVER_STARTED
    assert run.fact(fenced) == []


def test_a_host_that_forgot_what_it_had_started_proves_nothing() -> None:
    run = given_up()
    assert run.fact(NotStarted(reason="fenced", fenced=True)) == []
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR


def test_what_an_agent_says_of_a_run_that_was_given_up_is_kept_once() -> None:
    run = given_up()
    for fact, told in (
        (Running(), [AttemptTold]),
        (Running(), []),
        (Died(reason="process-gone"), [AttemptTold]),
    ):
        assert run.fact(fact) == told
        assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    assert run.task.attempts[0].is_over


def test_resumable_work_goes_on_once_its_death_is_proved() -> None:
    run = given_up(TaskClass.RESUMABLE)
    assert run.fact(Died(reason="process-gone")) == [AttemptTold, TaskRetrying]
    assert run.task.phase is TaskPhase.WAITING


def test_a_frozen_pool_gives_nothing_up() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(LOST)
    run.story.add(FailoverBraked(pool=PoolName("general"), reason="a test"))
    assert run.pass_time(10_000_000) == []


def test_an_agent_that_left_the_fleet_file_while_a_pool_is_braked_is_not_given_up() -> None:
    run = Run()
    run.fact(Started())
    run.hear(LOST)
    run.story.add(FailoverBraked(pool=PoolName("general"), reason="a test"))
    left = "a2" if run.task.attempts[0].agent == "a1" else "a1"
    run.story.add(FleetLoaded(spec=fleet(agent(left)), by="me"))
    assert run.pass_time(10_000_000) == []
    run.story.add(FailoverResumed(pool=PoolName("general")))
    assert AttemptGivenUp in run.pass_time(1)


def test_an_engine_that_heard_nothing_listens_before_it_gives_up() -> None:
    """After a pause, or a night in which no engine ran, an answer may be on its way."""
    run = Run()
    run.fact(Started())
    run.hear(LOST)
    run.story.now_ms += 10 * PATIENCE_MS
    state, began_ms = run.story.state, run.story.now_ms
    soon = began_ms + LISTEN_FIRST_MS
    ear = Ear(since_ms=began_ms)
    assert reconcile_attempts(state, soon - 1, ear) == []
    gave_up, _ = reconcile_attempts(state, soon, ear)
    assert isinstance(gave_up, AttemptGivenUp)


def test_a_pause_of_the_engine_is_no_silence_of_the_run() -> None:
    run = Run(deadlines=PULSE)
    run.fact(Started())
    run.beat(Running())
    run.story.now_ms += 10 * PULSE_MS
    state, began_ms = run.story.state, run.story.now_ms
    ear = Ear(since_ms=began_ms, beats=run.beats)
    assert reconcile_attempts(state, began_ms + PULSE_MS - 1, ear) == []
    (stopped,) = reconcile_attempts(state, began_ms + PULSE_MS, ear)
    assert isinstance(stopped, AttemptCancelling)


def test_a_run_is_in_the_way_unless_a_person_is_asked_about_it_or_said_that_it_ran() -> None:
    run = given_up()
    assert not is_unwanted(run.task, run.task.attempts[0])
    run.story.add(TaskRetrying(task=run.id, not_before_ms=0, reason="operator says run it again"))
    assert is_unwanted(run.task, run.task.attempts[0])
    run.place()
    run.fact(Finished(ok=True))
    assert run.task.phase is TaskPhase.SUCCEEDED
    assert is_unwanted(run.task, run.task.attempts[0])
    told = given_up()
    told.story.add(
        TaskEnded(task=told.id, phase=TaskPhase.SUCCEEDED, reason="operator says it ran")
    )
    assert not is_unwanted(told.task, told.task.attempts[0])


def test_a_cancel_of_which_nobody_heard_says_that_the_run_may_go_on() -> None:
    run = Run()
    run.fact(Started())
    run.story.add(TaskCancelRequested(task=run.id, by="ann"))
    run.hear(LOST)
    run.pass_time(PATIENCE_MS)
    assert run.task.phase is TaskPhase.CANCELLED
    assert run.task.reason.startswith("cancelled by ann; no sign of life from the run on ")
    assert run.task.reason.endswith(", so it may still run")
