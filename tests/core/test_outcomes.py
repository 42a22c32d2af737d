"""What the outcomes of runs say about agents: the breaker."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from fleet_tui.core.agents.breaker import SETTLED_MS
from fleet_tui.core.agents.commands import Uncordon
from fleet_tui.core.agents.events import AgentIdentified
from fleet_tui.core.agents.health import FRESH, judge
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.outcomes import BREAK, BREAK_AFTER, INSTANT_MS, STRIKE_WINDOW_MS
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.alerting.alerts import conditions
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import AgentSpec, RetryBudget, TaskClass
from fleet_tui.core.ids import AgentName, AlertId, RunId, TaskId
from fleet_tui.core.ledger.decide import decide
from fleet_tui.core.ledger.decided import Decided
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.narrate import narrate
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.routing.schedule import AVOID_MS, Router
from fleet_tui.core.tasks.attempts import learn, reconcile_attempts
from fleet_tui.core.tasks.events import TaskEnded, TaskPlaced
from fleet_tui.core.tasks.evidence import (
    Blame,
    Definite,
    Died,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.tasks.model import Task, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

REFUSED = NotStarted(reason="invalid-request", detail=Untrusted("unknown agent id"))
FAILED = Finished(ok=False, failure="model-error", detail=Untrusted("database cleanup failed"))
ERRORS = Finished(ok=False, failure="agent-error", detail=Untrusted("it got nowhere"))
PLENTY = RetryBudget(percent=100, floor=10_000)

Answer = Callable[[Task, AgentName], Fact]
"""What an agent says to a task that it gets."""


class Fleet:
    """Some agents, and what each does with what it gets."""

    def __init__(self, *agents: AgentSpec, answers: dict[str, Answer] | None = None) -> None:
        self.story = Story(fleet(*agents, retry_budget=PLENTY))
        self.story.all_up()
        self.router = Router(self.story.state.fleet)
        self.answers = answers or {}
        self.placed: list[tuple[TaskId, AgentName]] = []

    def agent(self, name: str) -> AgentState:
        return self.story.state.agents[AgentName(name)]

    def task(self, task: TaskId) -> Task:
        found = self.story.state.task(task)
        assert found is not None
        return found

    def route(self) -> list[TaskPlaced]:
        events = self.router.schedule(self.story.state, {}, self.story.now_ms)
        self.story.add(*events)
        placed = [e for e in events if isinstance(e, TaskPlaced)]
        self.placed += [(e.task, e.agent) for e in placed]
        return placed

    def hear(self, run: RunId, fact: Fact) -> None:
        word = Definite(fact)
        self.story.add(*learn(self.story.state, run, word, self.story.now_ms))

    def answer(self, placed: TaskPlaced) -> None:
        """The agent's answer: a refusal, or a start and what comes of it."""
        says = self.answers.get(placed.agent, well)
        fact = says(self.task(placed.task), placed.agent)
        if not isinstance(fact, NotStarted):
            self.hear(placed.run, Started())
            self.story.now_ms += 100
        self.hear(placed.run, fact)

    def play(self, ms: int, step_ms: int = 1_000) -> None:
        """Time passes; whatever is placed is answered at once."""
        until = self.story.now_ms + ms
        while self.story.now_ms < until:
            for placed in self.route():
                self.answer(placed)
            self.story.now_ms += step_ms

    def given_to(self, name: str) -> list[TaskId]:
        return [task for task, agent in self.placed if agent == name]


def well(_task: Task, _agent: AgentName) -> Fact:
    return Finished(ok=True)


def refuses(_task: Task, _agent: AgentName) -> Fact:
    return REFUSED


def fails(_task: Task, _agent: AgentName) -> Fact:
    return FAILED


def test_an_agent_that_refuses_every_start_is_suspect_after_three_and_eats_nothing_more() -> None:
    crew = Fleet(agent("bad"), agent("good"), answers={"bad": refuses})
    tasks = crew.story.submit_many(work(), 24)
    crew.play(60_000)
    assert {crew.task(t).phase for t in tasks} == {TaskPhase.SUCCEEDED}
    bad = crew.agent("bad")
    assert bad.health is Health.SUSPECT
    assert bad.reason.endswith('its agent says "invalid-request"')
    assert bad.detail == REFUSED.detail
    assert bad.failed == len(crew.given_to("bad"))
    assert crew.agent("good").failed == 0
    slots = crew.story.state.fleet.agents[AgentName("bad")].slots
    assert BREAK_AFTER <= len(crew.given_to("bad")) <= BREAK_AFTER + slots


def test_an_agent_that_fails_every_run_at_once_is_suspect_after_three() -> None:
    crew = Fleet(agent("bad"), agent("good"), answers={"bad": fails})
    tasks = crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 24)
    crew.play(60_000)
    assert {crew.task(t).phase for t in tasks} == {TaskPhase.SUCCEEDED}
    assert crew.agent("bad").health is Health.SUSPECT
    assert "failed: its model failed (model-error)" in crew.agent("bad").reason


def test_a_model_that_fails_after_minutes_counts_and_is_tried_for_longer() -> None:
    minutes_ms = 150_000
    crew = Fleet(agent("bad", slots=BREAK_AFTER), agent("good"))
    crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 24)
    bad = []
    for placed in crew.route():
        crew.hear(placed.run, Started())
        bad += [placed.run] if placed.agent == "bad" else []
    crew.story.now_ms += minutes_ms
    for run in bad:
        crew.hear(run, FAILED)
    assert crew.agent("bad").health is Health.SUSPECT
    crew.story.now_ms += BREAK.base_ms
    (trial,) = [placed for placed in crew.route() if placed.agent == "bad"]
    crew.hear(trial.run, Started())
    for wait_ms, is_tripped in ((SETTLED_MS, True), (2 * minutes_ms - SETTLED_MS, False)):
        crew.story.now_ms += wait_ms
        crew.story.add(*reconcile_attempts(crew.story.state, crew.story.now_ms))
        assert (crew.agent("bad").breaker is not None) is is_tripped


def test_a_task_that_an_agent_failed_waits_for_another_and_not_for_ever() -> None:
    crew = Fleet(agent("bad", slots=1), agent("good", slots=1))
    crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 2)
    on = {placed.agent: placed for placed in crew.route()}
    for placed in on.values():
        crew.hear(placed.run, Started())
    crew.hear(on[AgentName("bad")].run, FAILED)
    failed = on[AgentName("bad")].task
    crew.story.now_ms += 5_000
    assert crew.route() == [], "the agent that failed it is free, and the other one works"
    pending = crew.task(failed).pending
    assert pending is not None
    assert pending.decision is not None
    assert pending.code is PendingCode.CAPACITY
    assert "bad failed it, and the other agents are busy" in [
        rejection.example for rejection in pending.decision.rejections
    ]
    (behind,) = crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 1)
    assert [(placed.task, placed.agent) for placed in crew.route()] == [(behind, "bad")]
    crew.hear(crew.task(behind).attempts[0].run_id, Finished(ok=True))
    crew.story.now_ms += AVOID_MS
    assert [(placed.task, placed.agent) for placed in crew.route()] == [(failed, "bad")]


def test_a_task_that_its_only_agent_failed_does_not_wait_for_another() -> None:
    crew = Fleet(agent("bad", slots=1), agent("away", slots=1))
    crew.story.health("away", Health.DOWN)
    crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 1)
    (placed,) = crew.route()
    crew.hear(placed.run, Started())
    crew.hear(placed.run, FAILED)
    crew.story.now_ms += 5_000
    assert [again.agent for again in crew.route()] == ["bad"]


def test_an_open_breaker_raises_one_alert_with_the_agents_words_and_the_number_of_tasks() -> None:
    crew = Fleet(agent("bad", slots=3), agent("good"), answers={"bad": refuses})
    crew.story.submit_many(work(), 10)
    crew.play(2_000)
    alert = conditions(crew.story.state, crew.story.now_ms)[AlertId("agent-failing:bad")]
    assert alert.detail == REFUSED.detail
    assert "3 tasks hit" in alert.text
    crew.answers.clear()
    crew.play(BREAK.base_ms)
    crew.story.submit_many(work(), 10)
    crew.play(2_000)
    assert AlertId("agent-failing:bad") not in conditions(crew.story.state, crew.story.now_ms)


def test_one_task_is_let_through_per_window_and_the_windows_grow_to_their_bound() -> None:
    crew = Fleet(agent("bad", slots=4), answers={"bad": refuses})
    trials: list[int] = []
    crew.story.submit_many(work(), 60)
    for _ in range(2_000):
        for placed in crew.route():
            breaker = crew.agent("bad").breaker
            if breaker is not None and breaker.trial == placed.run:
                trials.append(crew.story.now_ms)
            crew.answer(placed)
        crew.story.now_ms += 2_000
    gaps = [after - before for before, after in pairwise(trials)]
    assert gaps[0] >= 2 * BREAK.base_ms
    assert gaps == sorted(gaps), "each wait is at least as long as the one before"
    assert BREAK.cap_ms <= gaps[-1] <= BREAK.cap_ms + 4_000
    assert len(trials) <= 20


def test_a_trial_that_goes_well_brings_the_agent_back_in_full() -> None:
    crew = Fleet(agent("bad", slots=2), answers={"bad": refuses})
    crew.story.submit_many(work(), 4)
    crew.play(5_000)
    assert crew.agent("bad").health is Health.SUSPECT
    crew.answers.clear()
    crew.play(3 * BREAK.base_ms)
    assert crew.agent("bad").health is Health.UP
    assert crew.agent("bad").breaker is None
    assert all(t.phase is TaskPhase.SUCCEEDED for t in crew.story.state.tasks())


def test_an_agent_that_only_refused_is_trusted_once_a_trial_starts() -> None:
    crew = tripped(REFUSED)
    (trial,) = crew.route()
    crew.hear(trial.run, Started())
    assert crew.agent("bad").breaker is None


def test_an_agent_that_failed_runs_is_trusted_when_its_trial_ends_well_or_goes_on() -> None:
    crew = tripped(FAILED)
    (trial,) = crew.route()
    crew.hear(trial.run, Started())
    assert crew.agent("bad").breaker is not None
    crew.story.now_ms += SETTLED_MS - 1
    crew.story.add(*reconcile_attempts(crew.story.state, crew.story.now_ms))
    assert crew.agent("bad").breaker is not None
    crew.story.now_ms += 1
    crew.story.add(*reconcile_attempts(crew.story.state, crew.story.now_ms))
    assert crew.agent("bad").health is Health.UP
    crew = tripped(FAILED)
    (trial,) = crew.route()
    crew.hear(trial.run, Finished(ok=True))
    assert crew.agent("bad").health is Health.UP


@pytest.mark.parametrize(
    "end",
    [
        NotStarted(reason="ssh-unreachable"),
        Finished(ok=False, failure="exit-1"),
        Died(reason="gone"),
        Stopped(),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_a_trial_that_ends_without_a_verdict_is_repeated_after_the_same_wait(end: Fact) -> None:
    crew = tripped(REFUSED)
    before = crew.agent("bad").breaker
    assert before is not None
    (trial,) = crew.route()
    crew.hear(trial.run, end)
    after = crew.agent("bad").breaker
    assert after is not None
    assert after.trial is None
    assert (after.opens, after.reason, after.hit) == (before.opens, before.reason, before.hit)
    assert after.until_ms == crew.story.now_ms + BREAK.base_ms
    crew.story.submit(work())
    assert crew.route() == []


def test_a_trial_that_is_lost_sight_of_lets_no_second_one_through() -> None:
    crew = tripped(REFUSED)
    (trial,) = crew.route()
    lost = Unknown(LostReason.CONNECTION_LOST)
    crew.story.add(*learn(crew.story.state, trial.run, lost, crew.story.now_ms))
    crew.story.submit(work())
    crew.story.now_ms += 100 * BREAK.cap_ms
    assert crew.route() == []


def tripped(end: Fact) -> Fleet:
    """A fleet of one agent whose breaker is due for a trial, and a task to try it with."""
    crew = Fleet(agent("bad", slots=4))
    crew.story.submit_many(work(), BREAK_AFTER)
    for placed in crew.route():
        if not isinstance(end, NotStarted):
            crew.hear(placed.run, Started())
        crew.hear(placed.run, end)
    assert crew.agent("bad").breaker is not None
    end_all(crew)
    crew.story.submit(work(task_class=TaskClass.IDEMPOTENT))
    assert crew.route() == []
    crew.story.now_ms += BREAK.base_ms
    return crew


def end_all(crew: Fleet) -> None:
    """Nothing waits any more."""
    for task in list(crew.story.state.open_tasks):
        crew.story.add(TaskEnded(task=task, phase=TaskPhase.CANCELLED))


# What does not count


@pytest.mark.parametrize(
    "reason", [k.value for k in FailureKind if k not in ("bad-answer", "disk-full", "cannot-work")]
)
def test_an_agent_that_is_not_reached_is_judged_by_looks_not_by_starts(reason: str) -> None:
    crew = Fleet(agent("a1"), answers={"a1": lambda *_: NotStarted(reason=reason)})
    crew.story.submit_many(work(), 10)
    crew.play(20_000)
    assert crew.agent("a1").breaker is None
    assert crew.agent("a1").failed == 0


@pytest.mark.parametrize(
    "told", [NotStarted(reason="cancelled-first"), NotStarted(reason="startup", passing=True)]
)
def test_a_start_that_never_left_or_met_a_starting_gateway_says_nothing(told: NotStarted) -> None:
    crew = Fleet(agent("a1"), answers={"a1": lambda *_: told})
    crew.story.submit_many(work(), 10)
    crew.play(20_000)
    assert crew.agent("a1").breaker is None


def test_failures_that_take_their_time_or_are_the_programs_word_do_not_count() -> None:
    crew = Fleet(agent("a1", slots=9))
    crew.story.submit_many(work(), 9)
    for number, placed in enumerate(crew.route()):
        crew.hear(placed.run, Started())
        if number % 2:
            crew.hear(placed.run, Finished(ok=False, failure="exit-1"))
    crew.story.now_ms += INSTANT_MS
    for run in sorted(crew.agent("a1").runs):
        crew.hear(run, ERRORS)
    assert crew.agent("a1").breaker is None
    assert crew.agent("a1").failed == 9


def test_a_program_that_is_not_there_counts_however_long_it_took() -> None:
    missing = Finished(ok=False, failure="command-missing")
    crew = Fleet(agent("a1", slots=3))
    crew.story.submit_many(work(), 3)
    for placed in crew.route():
        crew.hear(placed.run, Started())
        crew.story.now_ms += INSTANT_MS
        crew.hear(placed.run, missing)
    assert crew.agent("a1").health is Health.SUSPECT


def test_only_failures_in_a_row_and_of_late_count() -> None:
    crew = Fleet(agent("a1", slots=1))
    for _ in range(5):
        for end in (REFUSED, REFUSED, Finished(ok=True)):
            crew.story.submit(work())
            crew.hear(crew.route()[0].run, end)
            crew.story.now_ms += 60_000
    assert crew.agent("a1").breaker is None
    crew = Fleet(agent("a1", slots=1))
    for _ in range(6):
        crew.story.submit(work())
        crew.hear(crew.route()[0].run, FAILED)
        crew.story.now_ms += STRIKE_WINDOW_MS // 2 + 1
    assert crew.agent("a1").breaker is None


# Whose fault is it?


def test_a_task_that_every_agent_refuses_fails_with_that_reason_and_nobody_is_blamed() -> None:
    crew = Fleet(*(agent(f"a{n}", slots=4) for n in range(4)))
    for spec in list(crew.story.state.agents):
        crew.answers[spec] = lambda task, _: REFUSED if task.spec.payload.raw == "bad" else FINE
    crew.story.submit_many(work(), 16)
    crew.play(5_000)
    bad = crew.story.submit_many(work("bad"), 30)
    crew.story.submit_many(work(), 30)
    crew.play(600_000)
    for task in map(crew.task, bad):
        assert task.phase is TaskPhase.FAILED
        assert task.reason.endswith('refused it in the same way: its agent says "invalid-request"')
        assert len({a.agent for a in task.attempts}) == BREAK_AFTER
    for found in crew.story.state.agents.values():
        assert found.health is Health.UP, found
        assert (found.breaker, found.strikes, found.failed) == (None, (), 0)


FINE = Finished(ok=True)


def test_a_bad_task_never_takes_a_whole_working_fleet_out_of_routing() -> None:
    crew = Fleet(*(agent(f"a{n}", slots=6) for n in range(4)))
    for name in list(crew.story.state.agents):
        crew.answers[name] = lambda task, _: REFUSED if task.spec.payload.raw == "bad" else FINE
    crew.story.submit_many(work(), 16)
    crew.play(2_000)
    crew.story.submit_many(work("bad"), 60)
    for _ in range(200):
        for placed in crew.route():
            crew.answer(placed)
            out = [a for a in crew.story.state.agents.values() if a.breaker is not None]
            assert len(out) <= len(crew.story.state.agents) // 2
        crew.story.now_ms += 500


def test_in_a_fleet_that_never_did_anything_all_have_to_refuse_before_the_task_is_blamed() -> None:
    crew = Fleet(*(agent(f"a{n}") for n in range(5)))
    crew.answers = {f"a{n}": refuses for n in range(4)}
    task = crew.story.submit(work())
    crew.play(120_000)
    assert crew.task(task).phase is TaskPhase.SUCCEEDED
    crew = Fleet(*(agent(f"a{n}") for n in range(5)))
    crew.answers = {f"a{n}": refuses for n in range(5)}
    task = crew.story.submit(work())
    crew.play(120_000)
    assert crew.task(task).phase is TaskPhase.FAILED
    assert all(a.breaker is None for a in crew.story.state.agents.values())


def test_gateways_of_an_old_release_fail_no_task_while_one_agent_can_do_it() -> None:
    old = {f"old{n}": refuses for n in range(3)}
    crew = Fleet(*(agent(name, slots=4) for name in old), agent("new"), answers=dict(old))
    tasks = crew.story.submit_many(work(), 40)
    crew.play(300_000)
    assert {crew.task(t).phase for t in tasks} == {TaskPhase.SUCCEEDED}
    assert all(crew.agent(name).health is Health.SUSPECT for name in old)


def test_a_single_working_agent_is_not_put_out_for_long_by_one_bad_task() -> None:
    crew = Fleet(agent("only"))
    crew.answers["only"] = lambda task, _: REFUSED if task.spec.payload.raw == "bad" else FINE
    bad = crew.story.submit(work("bad"))
    for _ in range(60):
        crew.story.submit(work())
        crew.play(1_000)
    assert crew.task(bad).phase is TaskPhase.FAILED
    assert crew.task(bad).reason.startswith("only, the only eligible agent, completes other tasks")
    assert crew.agent("only").health is Health.UP


def test_a_single_agent_that_refuses_one_task_again_and_again_is_suspect() -> None:
    crew = Fleet(agent("only"), answers={"only": refuses})
    task = crew.story.submit(work())
    crew.play(10_000)
    assert crew.agent("only").health is Health.SUSPECT
    assert crew.task(task).phase is TaskPhase.WAITING
    crew.answers.clear()
    crew.play(2 * BREAK.base_ms)
    assert crew.task(task).phase is TaskPhase.SUCCEEDED


# Which task is the trial


def test_a_task_that_must_not_run_twice_is_no_trial_of_an_agent_that_fails_runs() -> None:
    crew = Fleet(agent("bad", slots=3), agent("good", slots=50), answers={"bad": fails})
    crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 60)
    crew.play(3_000)
    assert crew.agent("bad").breaker is not None
    end_all(crew)
    crew.story.now_ms += BREAK.base_ms
    crew.story.submit(work())
    (placed,) = crew.route()
    assert placed.agent == "good"
    crew.story.submit(work(task_class=TaskClass.IDEMPOTENT))
    (placed,) = crew.route()
    assert placed.agent == "bad"
    assert placed.decision.note.startswith("bad is on trial: ")
    assert placed.decision.candidates[0].terms[0].name == "on trial"


def test_where_nobody_else_is_a_task_that_must_not_run_twice_waits_until_somebody_says_so() -> None:
    crew = tripped(FAILED)
    end_all(crew)
    task = crew.story.submit(work())
    crew.story.now_ms += 100 * BREAK.cap_ms
    assert crew.route() == []
    pending = crew.task(task).pending
    assert pending is not None
    assert pending.code is PendingCode.TRIAL
    see(crew, "bad", good("bad", boot="another"))
    assert crew.route() == [], "another process is no proof"
    trusted = Uncordon(agents=(AgentName("bad"),))
    decision = decide(crew.story.state, "ann", trusted, crew.story.now_ms)
    assert isinstance(decision, Decided)
    crew.story.add(*decision.events)
    assert [placed.task for placed in crew.route()] == [task]


def test_a_task_that_failed_there_is_no_trial_while_another_agent_is_free() -> None:
    crew = Fleet(agent("bad", slots=3), agent("good", slots=1), answers={"bad": refuses})
    tasks = crew.story.submit_many(work(), 12)
    for placed in crew.route():
        if placed.agent == "bad":
            crew.answer(placed)
    crew.story.now_ms += BREAK.base_ms + 30_000
    first = {task for task, name in crew.placed if name == "bad"}
    again = [p for p in crew.route() if p.agent == "bad"]
    assert len(again) == 1
    assert again[0].task in set(tasks) - first or crew.agent("good").runs


# With looks, files and restarts


def see(crew: Fleet, name: str, look: VitalsReading | ProbeFailure) -> None:
    spec = crew.story.state.fleet.agents[AgentName(name)]
    _, events = judge(FRESH, crew.agent(name), look, spec.probe, crew.story.now_ms)
    crew.story.add(*events)


def good(name: str, boot: str = "b") -> VitalsReading:
    return VitalsReading(
        agent=AgentName(name), observed_at_ms=0, latency_ms=1.0, version="1", boot_id=boot
    )


def test_good_looks_do_not_bring_back_an_agent_whose_work_fails() -> None:
    crew = tripped(FAILED)
    see(crew, "bad", good("bad"))
    assert crew.agent("bad").health is Health.SUSPECT
    miss = ProbeFailure(agent=AgentName("bad"), observed_at_ms=0, kind=FailureKind.TIMEOUT)
    crew.story.health("bad", Health.STARTING)
    see(crew, "bad", miss)
    assert crew.agent("bad").failure is FailureKind.TIMEOUT
    assert crew.route() == [], "one that probe failed is not tried"
    see(crew, "bad", good("bad"))
    assert crew.agent("bad").health is Health.SUSPECT
    assert crew.agent("bad").reason.endswith("its model failed (model-error)")
    assert len(crew.route()) == 1


def test_another_process_of_the_agent_is_tried_at_once() -> None:
    crew = tripped(FAILED)
    crew.story.add(AgentIdentified(agent=AgentName("bad"), version="1", boot_id="b1"))
    (trial,) = crew.route()
    crew.hear(trial.run, Started())
    crew.hear(trial.run, FAILED)
    crew.story.submit(work(task_class=TaskClass.IDEMPOTENT))
    assert crew.route() == []
    see(crew, "bad", good("bad", boot="b2"))
    assert len(crew.route()) == 1


def test_another_description_of_the_agent_is_judged_anew() -> None:
    crew = tripped(REFUSED)
    moved = fleet(
        *(agent(a, slots=4, capabilities=["gpu"]) for a in crew.story.state.agents),
        retry_budget=PLENTY,
    )
    crew.story.add(FleetLoaded(spec=moved))
    assert crew.agent("bad").breaker is not None, "the same agent with another label"
    gone = fleet(agent("other"))
    crew.story.add(FleetLoaded(spec=gone), FleetLoaded(spec=moved))
    assert crew.agent("bad").breaker is None


def test_whose_doing_it_was_is_kept_and_told_in_words() -> None:
    crew = tripped(REFUSED)
    assert fold(EMPTY_STATE, crew.story.rows) == crew.story.state
    for row in crew.story.rows:
        said = narrate(row.event, crew.story.state)
        assert said is None or said.text
    blames = {a.blame for t in crew.story.state.tasks() for a in t.attempts}
    assert blames == {Blame.AGENT}


def test_a_model_that_is_down_on_all_agents_is_not_the_doing_of_a_task() -> None:
    crew = Fleet(agent("a1"), agent("a2"), answers={})
    crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 4)
    crew.play(10_000)
    assert all(crew.agent(name).succeeded for name in ("a1", "a2"))
    crew.answers |= {"a1": fails, "a2": fails}
    (task,) = crew.story.submit_many(work(task_class=TaskClass.IDEMPOTENT), 1)
    crew.play(400_000)
    assert crew.task(task).phase is TaskPhase.FAILED
    assert crew.task(task).reason == "its model failed (model-error)"
    assert len(crew.task(task).attempts) == 3, "it had all its tries"
