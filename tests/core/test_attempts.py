"""What becomes of attempts: the state machine, fact by fact."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.events import AgentIdentified, HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.engine.events import EngineStarted, FleetLoaded
from fleet_tui.core.fleet import Deadlines, RetryPolicy, TaskClass
from fleet_tui.core.ids import AgentName, Epoch, run_id
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.attempts import (
    KEEP_RUNS_MS,
    MAX_UNSTARTED,
    collectable,
    is_left_over,
    learn,
)
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptGivenUp,
    AttemptLate,
    AttemptStarted,
    AttemptUnknown,
    TaskCancelRequested,
    TaskEnded,
    TaskRetrying,
)
from fleet_tui.core.tasks.evidence import (
    Answer,
    Checkpoint,
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.core.tasks.model import AttemptPhase, CancelCause, TaskPhase
from fleet_tui.core.tasks.store import MAX_CLOSED_TASKS
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.task import LOST, PATIENCE_MS, PULSE, Run


def test_started_then_finished_is_a_success_with_its_usage_and_cost() -> None:
    run = Run()
    run.fact(Started(boot_id="b"))
    assert run.phase is AttemptPhase.RUNNING
    run.fact(Finished(ok=True, usage=Usage(input_tokens=3, cost_microusd=7)))
    assert run.task.phase is TaskPhase.SUCCEEDED
    assert run.task.cost_microusd == 7
    assert run.story.state.totals.succeeded == 1


def test_a_lost_connection_is_neither_success_nor_failure() -> None:
    run = Run()
    run.fact(Started())
    assert run.hear(LOST) == [AttemptUnknown]
    assert run.hear(LOST) == []
    assert run.task.phase is TaskPhase.ACTIVE
    run.fact(Running())
    assert run.phase is AttemptPhase.RUNNING


@pytest.mark.parametrize("task_class", list(TaskClass))
def test_what_definitely_did_not_start_is_retried_for_every_class(task_class: TaskClass) -> None:
    run = Run(task_class)
    assert TaskRetrying in run.fact(NotStarted(reason="draining"))
    assert run.task.phase is TaskPhase.WAITING
    run.place()
    assert run.task.attempt is not None
    assert run.task.attempt.agent == "a2"


def test_not_started_for_ever_asks_an_operator_in_the_end() -> None:
    run = Run()
    for _ in range(MAX_UNSTARTED - 1):
        run.fact(NotStarted(reason="ssh-unreachable"))
        run.place()
    run.fact(NotStarted(reason="ssh-unreachable"))
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR


def test_a_payload_that_no_agent_takes_fails_at_once() -> None:
    run = Run()
    run.fact(NotStarted(reason="too large", retryable=False))
    assert run.task.phase is TaskPhase.FAILED


@pytest.mark.parametrize(
    ("task_class", "phase"),
    [
        (TaskClass.ONCE, TaskPhase.NEEDS_OPERATOR),
        (TaskClass.RESUMABLE, TaskPhase.NEEDS_OPERATOR),
        (TaskClass.IDEMPOTENT, TaskPhase.WAITING),
    ],
)
def test_death_after_the_start_follows_the_class(task_class: TaskClass, phase: TaskPhase) -> None:
    run = Run(task_class)
    run.fact(Started())
    run.fact(Died(reason="its process is gone"))
    assert run.task.phase is phase


def test_an_idempotent_task_fails_when_its_tries_are_used_up() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    for _ in range(2):
        run.fact(Started())
        run.fact(Died(reason="gone"))
        run.place()
    run.fact(Started())
    run.fact(Died(reason="gone"))
    assert run.task.phase is TaskPhase.FAILED
    assert len(run.task.attempts) == 3


def test_unknown_for_too_long_asks_for_a_verdict_and_a_late_result_is_only_attached() -> None:
    run = Run()
    run.fact(Started())
    run.hear(LOST)
    patience = run.story.state.fleet.lost_after_ms
    assert patience is not None
    assert run.pass_time(patience - 1) == []
    assert AttemptGivenUp in run.pass_time(1)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    finished = Finished(ok=True, answer=Answer(text=Untrusted("late")))
    assert run.fact(finished) == [AttemptLate]
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    assert run.task.attempts[0].late
    assert run.task.attempts[0].told_late == "ended well"
    assert run.fact(finished) == []


def test_what_a_run_cost_that_was_stopped_late_is_counted_once() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(LOST)
    run.later(PATIENCE_MS)
    for _ in range(2):
        run.fact(Stopped(usage=Usage(input_tokens=3, cost_microusd=7)))
    assert run.task.cost_microusd == 7
    assert run.task.attempts[0].usage.input_tokens == 3
    totals, agent = run.story.state.totals, run.story.state.agents[run.task.attempts[0].agent]
    assert (totals.cost_microusd, totals.tokens) == (agent.cost_microusd, agent.tokens) == (7, 3)


def test_a_late_failure_is_told_as_one() -> None:
    run = Run()
    run.hear(LOST)
    run.later(PATIENCE_MS)
    late = learn(
        run.story.state,
        run.run,
        Definite(Finished(ok=False, failure="exit-3", detail=Untrusted("card declined"))),
        run.story.now_ms,
    )
    run.story.add(*late)
    assert run.task.attempts[0].told_late == "failed: exit-3"
    assert run.task.attempts[0].detail.raw == "card declined"
    said = narrate(late[0], run.story.state)
    assert said is not None
    assert said.text.endswith("failed (exit-3) after it was given up")
    assert said.detail.raw == "card declined"


def test_giving_up_idempotent_work_says_that_it_may_run_twice() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.hear(LOST)
    run.pass_time(1_000_000)
    (again,) = (r.event for r in run.story.rows if isinstance(r.event, TaskRetrying))
    assert again.duplicate_possible


def test_a_run_past_its_deadline_is_stopped_and_has_timed_out() -> None:
    run = Run()
    run.fact(Started())
    assert run.pass_time(600_000) == [AttemptCancelling]
    assert run.phase is AttemptPhase.CANCELLING
    run.fact(Stopped())
    assert run.phase is AttemptPhase.TIMED_OUT
    assert run.task.phase is TaskPhase.FAILED


def test_a_cancelled_run_that_finished_first_is_a_success() -> None:
    run = Run()
    run.fact(Started())
    run.story.add(
        TaskCancelRequested(task=run.id, by="me"),
        AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR),
    )
    run.fact(Finished(ok=True))
    assert run.task.phase is TaskPhase.SUCCEEDED


def test_a_cancel_survives_a_lost_connection() -> None:
    run = Run()
    run.fact(Started())
    run.story.add(
        TaskCancelRequested(task=run.id, by="me"),
        AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR),
    )
    run.hear(LOST)
    assert run.phase is AttemptPhase.UNKNOWN
    run.fact(Running())
    assert run.phase is AttemptPhase.CANCELLING
    run.fact(Stopped())
    assert run.task.phase is TaskPhase.CANCELLED


def test_an_unknown_start_that_was_claimed_is_running() -> None:
    run = Run()
    run.hear(LOST)
    assert run.fact(Started(already=True)) == [AttemptStarted]
    assert run.phase is AttemptPhase.RUNNING


def test_words_about_runs_that_are_over_change_nothing() -> None:
    run = Run()
    run.fact(Started())
    run.fact(Finished(ok=True))
    before = run.story.state
    for word in (LOST, Definite(Running()), Definite(Died(reason="x"))):
        assert run.hear(word) == []
    assert run.story.state is before or run.story.state == before


def test_a_tasks_end_frees_its_slot() -> None:
    run = Run()
    run.fact(Started())
    assert any(a.runs for a in run.story.state.agents.values())
    run.fact(Finished(ok=False, failure="exit-1"))
    assert not any(a.runs for a in run.story.state.agents.values())
    assert TaskEnded in {type(r.event) for r in run.story.rows}


@pytest.mark.parametrize("task_class", list(TaskClass))
def test_when_the_host_says_the_agent_is_down_only_idempotent_work_moves(
    task_class: TaskClass,
) -> None:
    run = Run(task_class)
    run.fact(Started())
    run.hear(LOST)
    run.story.add(
        HealthChanged(
            agent=AgentName("a1"),
            health=Health.DOWN,
            was=Health.UP,
            reason="a test",
            failure=FailureKind.GATEWAY_DOWN,
        )
    )
    moved = AttemptGivenUp in run.pass_time(1)
    assert moved == (task_class is TaskClass.IDEMPOTENT)
    if moved:
        run.place()
        assert run.task.attempt is not None
        assert run.task.attempt.agent == "a2"
        assert "failover" in run.task.attempt.decision.note


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("limits", [(), (Limit.NO_FENCE,)])
def test_a_start_that_no_fence_can_keep_from_arriving_is_moved_by_a_person_alone(
    limits: tuple[Limit, ...], started: bool
) -> None:
    run = Run(TaskClass.IDEMPOTENT)
    a1 = AgentName("a1")
    run.story.add(AgentIdentified(agent=a1, version="1", boot_id=None, limits=limits))
    if started:
        run.fact(Started())
    run.hear(LOST)
    down = FailureKind.GATEWAY_DOWN
    run.story.add(
        HealthChanged(agent=a1, health=Health.DOWN, was=Health.UP, reason="a test", failure=down)
    )
    must_ask = bool(limits) and not started
    assert (AttemptGivenUp in run.pass_time(1)) is not must_ask
    run.pass_time(1_000_000)
    assert run.task.phase is (TaskPhase.NEEDS_OPERATOR if must_ask else TaskPhase.WAITING)


@pytest.mark.parametrize("task_class", list(TaskClass))
def test_a_run_that_its_agent_gave_back_before_it_began_is_tried_elsewhere(
    task_class: TaskClass,
) -> None:
    run = Run(task_class)
    run.fact(Started())
    run.fact(NotStarted(reason="gateway-draining", withdrawn=True))
    assert run.phase is AttemptPhase.NOT_STARTED
    assert run.task.phase is TaskPhase.WAITING


@pytest.mark.parametrize(
    ("task_class", "phase"),
    [(TaskClass.ONCE, TaskPhase.NEEDS_OPERATOR), (TaskClass.IDEMPOTENT, TaskPhase.WAITING)],
)
def test_a_host_that_lost_a_started_run_does_not_prove_that_it_never_ran(
    task_class: TaskClass, phase: TaskPhase
) -> None:
    run = Run(task_class)
    run.fact(Started())
    run.hear(LOST)
    run.fact(NotStarted(reason="fenced"))
    assert run.phase is AttemptPhase.DIED
    assert run.task.phase is phase


def test_hosts_forget_runs_a_day_after_their_end() -> None:
    run = Run()
    run.fact(Started())
    run.fact(Finished(ok=True))
    ended = run.story.now_ms
    assert collectable(run.story.state, AgentName("a1"), ended + KEEP_RUNS_MS - 1) == []
    assert collectable(run.story.state, AgentName("a1"), ended + KEEP_RUNS_MS) == [run.run]
    assert collectable(run.story.state, AgentName("a2"), ended + KEEP_RUNS_MS) == []


def test_a_run_that_nobody_heard_the_end_of_is_left_on_its_host() -> None:
    """It may go on there; and a host that has deleted it says that it never started."""
    run = Run()
    run.hear(LOST)
    run.later(PATIENCE_MS)
    cancelled = TaskEnded(task=run.id, phase=TaskPhase.CANCELLED, reason="cancelled by ann")
    run.story.add(cancelled)
    long_after = run.story.now_ms + 30 * KEEP_RUNS_MS
    on = AgentName(run.task.attempts[0].agent)
    assert collectable(run.story.state, on, long_after) == []
    run.fact(Running())
    assert collectable(run.story.state, on, long_after) == []
    run.fact(Stopped())
    assert collectable(run.story.state, on, long_after) == [run.run]


def test_runs_are_collected_before_the_state_forgets_them() -> None:
    story = Story(fleet(agent("a1", slots=MAX_CLOSED_TASKS)))
    story.all_up()
    router = Router(story.state.fleet)
    for _ in range(MAX_CLOSED_TASKS):
        story.submit(work())
    while events := router.schedule(story.state, {}, story.now_ms):
        story.add(*events)
    done = Definite(Finished(ok=True))
    runs = sorted(story.state.agents[AgentName("a1")].runs)
    for run in runs:
        story.add(*learn(story.state, run, done, story.now_ms))
    found = collectable(story.state, AgentName("a1"), story.now_ms)
    assert found == runs[: MAX_CLOSED_TASKS // 2]


def test_only_a_run_of_its_own_is_left_over_of_a_task_and_only_when_both_are_over() -> None:
    run = Run()
    run.fact(Started())
    assert not is_left_over(run.task, run.run), "it runs"
    closed = replace(run.task, phase=TaskPhase.CANCELLED)
    assert not is_left_over(closed, run.run), "it runs, whatever its task says"
    run.fact(Finished(ok=True))
    assert is_left_over(run.task, run.run)
    assert not is_left_over(run.task, run_id(run.id, 2)), "no run of the task that the ledger knows"
    assert not is_left_over(replace(run.task, phase=TaskPhase.WAITING), run.run), "asked for again"


def test_a_run_that_nobody_heard_the_end_of_is_never_left_over() -> None:
    run = Run()
    run.hear(LOST)
    run.later(PATIENCE_MS)
    run.story.add(TaskEnded(task=run.id, phase=TaskPhase.CANCELLED, reason="cancelled by ann"))
    first = run.task.attempts[0].run_id
    assert not is_left_over(run.task, first)
    run.fact(Stopped())
    assert is_left_over(run.task, first)


def test_a_cancel_of_a_run_that_is_being_stopped_for_its_deadline_is_obeyed() -> None:
    run = Run(TaskClass.IDEMPOTENT)
    run.fact(Started())
    run.pass_time(600_000)
    assert run.phase is AttemptPhase.CANCELLING
    run.story.add(TaskCancelRequested(task=run.id, by="me"))
    run.fact(Stopped())
    assert run.task.phase is TaskPhase.CANCELLED


def test_finding_a_run_again_does_not_give_it_more_time() -> None:
    run = Run()
    run.fact(Started(boot_id="b1"))
    run.story.now_ms += 500_000
    run.hear(LOST)
    run.fact(Started(already=True))
    assert run.pass_time(100_000) == [AttemptCancelling]
    assert run.task.attempt is not None
    assert run.task.attempt.boot_id == "b1"


def test_an_agent_that_returns_to_the_fleet_file_still_runs_what_it_ran() -> None:
    run = Run()
    run.fact(Started())
    whole, name = run.story.state.fleet, AgentName("a1")
    assert run.task.attempt is not None
    assert run.task.attempt.agent == name
    run.story.add(FleetLoaded(spec=fleet(agent("a2"))))
    assert run.story.state.agents[name].health is Health.RETIRED
    run.story.add(FleetLoaded(spec=whole))
    back = run.story.state.agents[name]
    assert back.health is Health.JOINING
    assert back.runs == {run.run}


def test_a_fenced_run_is_told_from_a_refused_one_and_retried_like_it() -> None:
    run = Run()
    run.hear(LOST)
    run.hear(Definite(NotStarted(reason="fenced", fenced=True)))
    assert run.phase is AttemptPhase.FENCED
    assert run.task.phase is TaskPhase.WAITING


def test_a_run_that_falls_silent_is_stopped_and_has_timed_out() -> None:
    run = Run(deadlines=PULSE)
    run.hear(Definite(Started()))
    run.later(29_000)
    run.beat(Running(output_bytes=10))
    run.later(29_000)
    assert run.phase is AttemptPhase.RUNNING
    run.beat(Running(output_bytes=10))
    (stopping,) = run.later(1_000)
    assert isinstance(stopping, AttemptCancelling), "the same output is no sign of life"
    assert stopping.cause is CancelCause.HEARTBEAT
    run.hear(Definite(Stopped()))
    assert run.phase is AttemptPhase.TIMED_OUT
    assert run.task.phase is TaskPhase.FAILED
    assert run.task.reason == "fell silent and was stopped"


def test_where_output_is_not_counted_the_word_that_it_runs_is_the_heartbeat() -> None:
    run = Run(deadlines=PULSE)
    run.hear(Definite(Started()))
    for _ in range(5):
        run.later(29_000)
        run.beat(Running())
    assert run.phase is AttemptPhase.RUNNING


def test_a_new_checkpoint_is_a_sign_of_life() -> None:
    run = Run(task_class=TaskClass.RESUMABLE, deadlines=PULSE)
    run.hear(Definite(Started()))
    run.beat(Running(output_bytes=0))
    run.later(29_000)
    run.beat(Running(output_bytes=0, checkpoint=mark("page 1")))
    run.later(29_000)
    assert run.phase is AttemptPhase.RUNNING


def test_nobody_is_stopped_for_the_silence_of_an_engine_that_was_not_there() -> None:
    run = Run(deadlines=PULSE)
    run.hear(Definite(Started()))
    run.story.now_ms += 300_000
    run.story.add(EngineStarted(epoch=Epoch(2), version="1", pid=1))
    run.later(29_000)
    assert run.phase is AttemptPhase.RUNNING
    assert run.later(1_000)


def mark(text: str) -> Checkpoint:
    return Checkpoint(text=Untrusted(text), sha256=text)


def test_resumable_work_that_died_goes_on_from_its_newest_checkpoint() -> None:
    run = Run(task_class=TaskClass.RESUMABLE)
    run.hear(Definite(Started()))
    run.hear(Definite(Running(checkpoint=mark("page 1"))))
    run.hear(Definite(Running(checkpoint=mark("page 1"))))
    run.hear(Definite(Died(reason="host rebooted", checkpoint=mark("page 2"))))
    assert run.task.phase is TaskPhase.WAITING
    assert run.task.checkpoint == mark("page 2")
    run.place()
    run.hear(Definite(Started()))
    run.hear(Definite(Died(reason="host rebooted")))
    assert run.task.phase is TaskPhase.WAITING, "the checkpoint of the first attempt still holds"


def test_resumable_work_without_a_checkpoint_asks_an_operator() -> None:
    run = Run(task_class=TaskClass.RESUMABLE)
    run.hear(Definite(Started()))
    run.hear(Definite(Died(reason="host rebooted")))
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR


def test_resumable_work_of_unknown_fate_is_never_run_beside_itself() -> None:
    run = Run(task_class=TaskClass.RESUMABLE)
    run.hear(Definite(Running(checkpoint=mark("page 1"))))
    run.hear(LOST)
    assert run.story.state.fleet.lost_after_ms is not None
    run.later(run.story.state.fleet.lost_after_ms)
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR


@pytest.mark.parametrize("before", [None, mark("page 1")])
def test_resumable_work_found_dead_late_goes_on_from_what_it_left(
    before: Checkpoint | None,
) -> None:
    run = Run(task_class=TaskClass.RESUMABLE)
    run.fact(Running(checkpoint=before))
    run.hear(LOST)
    run.later(PATIENCE_MS)
    run.fact(Running(checkpoint=mark("page 2")))
    assert run.task.phase is TaskPhase.NEEDS_OPERATOR
    assert run.task.checkpoint == mark("page 2"), "a verdict to run it again starts from there"
    run.fact(Died(reason="process-gone", checkpoint=mark("page 3")))
    assert run.task.phase is TaskPhase.WAITING
    assert run.task.checkpoint == mark("page 3")
    assert run.fact(Died(reason="process-gone", checkpoint=mark("page 3"))) == []


def test_what_a_replaced_run_left_is_kept_beside_what_its_successor_left() -> None:
    run = Run(task_class=TaskClass.RESUMABLE)
    run.fact(Running(checkpoint=mark("page 1")))
    run.hear(LOST)
    run.later(PATIENCE_MS)
    first = run.run
    reason = "ann says run it again"
    run.story.add(TaskRetrying(task=run.id, not_before_ms=run.story.now_ms, reason=reason))
    second = run.place()
    run.run = first
    run.fact(Stopped(checkpoint=mark("page 3")))
    assert run.task.checkpoint == mark("page 3")
    run.run = second
    run.fact(Running(checkpoint=mark("page 2")))
    assert run.task.checkpoint == mark("page 2"), "the newest run began before the other ended"


def test_a_kind_of_failure_that_no_retry_mends_fails_at_once() -> None:
    policy = RetryPolicy(non_retryable=("exit-2",))
    curable = Run(task_class=TaskClass.IDEMPOTENT, retry=policy)
    curable.hear(Definite(Finished(ok=False, failure="exit-1")))
    assert curable.task.phase is TaskPhase.WAITING
    hopeless = Run(task_class=TaskClass.IDEMPOTENT, retry=policy)
    hopeless.hear(Definite(Finished(ok=False, failure="exit-2")))
    assert hopeless.task.phase is TaskPhase.FAILED


def test_a_start_that_does_not_come_in_time_is_called_off() -> None:
    run = Run(deadlines=Deadlines(schedule_to_start_ms=10_000))
    assert run.phase is AttemptPhase.PLANNED
    (stopping,) = run.later(10_000)
    assert isinstance(stopping, AttemptCancelling)
    run.hear(Definite(NotStarted(reason="fenced", fenced=True)))
    assert run.task.phase is TaskPhase.WAITING
    run.later(1)
    assert run.task.phase is TaskPhase.EXPIRED
    assert run.task.reason == "no agent could start it in time"


def test_a_requeued_task_has_its_tries_again() -> None:
    run = Run(task_class=TaskClass.IDEMPOTENT)
    for _ in range(3):
        run.hear(Definite(Finished(ok=False, failure="exit-1")))
        if run.task.phase is TaskPhase.WAITING:
            run.place()
    assert run.task.phase is TaskPhase.FAILED
    run.later(1)
    again = TaskRetrying(task=run.id, not_before_ms=run.story.now_ms, reason="requeued")
    run.story.add(again)
    run.place()
    run.hear(Definite(Finished(ok=False, failure="exit-1")))
    assert run.task.phase is TaskPhase.WAITING


def test_a_cancel_that_a_draining_agent_does_not_take_leaves_the_run_known_and_says_so() -> None:
    run = Run()
    run.fact(Started())
    run.story.add(TaskCancelRequested(task=run.id, by="ann"))
    run.story.add(AttemptCancelling(run=run.run, cause=CancelCause.OPERATOR, by="ann"))
    no = Unknown(LostReason.CANNOT_CANCEL, Untrusted("UNAVAILABLE: draining"))
    (told,) = learn(run.story.state, run.run, no, run.story.now_ms)
    run.story.add(told)
    assert run.phase is AttemptPhase.CANCELLING
    said = narrate(told, run.story.state)
    assert said is not None
    assert "cannot be cancelled while its agent drains" in said.text
    assert run.hear(no) == [], "it is told once"
    run.fact(Finished(ok=True))
    assert run.task.phase is TaskPhase.SUCCEEDED
    assert run.task.reason == "the cancel by ann arrived too late; it had finished"
