"""What holds for every fleet, every queue and every course of events."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.outcomes import BREAK
from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.fleet import (
    AgentSpec,
    FleetSpec,
    OpenClawAgent,
    Priority,
    ResidencyRule,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, ClientName, Epoch, Region, RunId, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Recorded, task_of
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.routing.decision import RoutingDecision, Rule
from fleet_tui.core.routing.record import MAX_DECISIONS
from fleet_tui.core.routing.requirement import Requirement, requirement_of
from fleet_tui.core.routing.schedule import Round, Router
from fleet_tui.core.step import (
    Asked,
    Input,
    RunReported,
    StepTime,
    Tick,
    Told,
    remember,
    step,
)
from fleet_tui.core.tasks.attempts import RunReport
from fleet_tui.core.tasks.commands import (
    Cancel,
    Drop,
    Edit,
    Expedite,
    Hold,
    Release,
    Requeue,
    Resolve,
    SetPriority,
    Submit,
    Verdict,
)
from fleet_tui.core.tasks.events import TaskPending, TaskPlaced
from fleet_tui.core.tasks.evidence import (
    Checkpoint,
    Definite,
    Died,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.tasks.model import Task, TaskPhase, TaskSpec
from fleet_tui.core.tasks.retell import retell
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.routing import decided_alone

CAPABILITIES = ["gpu", "browser", "eu"]
REGIONS = ["eu-w1", "us-e1"]
CLIENTS = ["acme", "globex"]
POOLS = ["general", "gpu"]


@st.composite
def agents(draw: st.DrawFn, name: str) -> AgentSpec:
    return agent(
        name,
        pool=draw(st.sampled_from(POOLS)),
        slots=draw(st.integers(1, 3)),
        capabilities=draw(st.sets(st.sampled_from(CAPABILITIES))),
        region=draw(st.sampled_from([*REGIONS, None])),
        clients=draw(st.sampled_from([[], [], ["acme"], ["acme", "globex"]])),
    )


@st.composite
def fleets(draw: st.DrawFn) -> FleetSpec:
    members = [draw(agents(f"a{n}")) for n in range(draw(st.integers(1, 6)))]
    rules = (
        [ResidencyRule(regions=(Region("eu-w1"),), client=ClientName("globex"))]
        if draw(st.booleans())
        else []
    )
    return fleet(
        *members,
        strategy=draw(st.sampled_from(Strategy)),
        residency=rules,
        overflow=draw(st.sets(st.sampled_from(POOLS))),
    )


def specs() -> st.SearchStrategy[TaskSpec]:
    return st.builds(
        work,
        st.sampled_from(["a", "b"]),
        needs=st.sets(st.sampled_from(CAPABILITIES), max_size=2),
        pool=st.sampled_from([None, None, *POOLS]),
        client=st.sampled_from([None, *CLIENTS]),
        regions=st.sampled_from([[], [], REGIONS[:1]]),
        priority=st.sampled_from(Priority),
        task_class=st.sampled_from(TaskClass),
    )


def allowed(spec: FleetSpec, task: TaskSpec, chosen: AgentSpec) -> bool:
    """The hard boundaries, written once more and differently."""
    reserved = {client for a in spec.agents.values() for client in a.clients}
    rules = [r for r in spec.residency if r.client in (None, task.client)]
    return (
        task.needs <= chosen.capabilities
        and (task.pool is None or chosen.pool == task.pool)
        and (not task.regions or chosen.region in task.regions)
        and all(chosen.region in r.regions for r in rules)
        and (task.client in chosen.clients if chosen.clients else task.client not in reserved)
    )


@given(fleets(), st.lists(specs(), max_size=12), st.data())
def test_no_placement_crosses_a_boundary_or_overbooks(
    spec: FleetSpec, tasks: list[TaskSpec], data: st.DataObject
) -> None:
    story = Story(spec)
    story.all_up()
    for name in spec.agents:
        if data.draw(st.booleans()):
            story.health(name, data.draw(st.sampled_from(Health)))
    for task in tasks:
        story.submit(task)
    events = Router(spec).schedule(story.state, {}, 99_000)
    placed = [e for e in events if isinstance(e, TaskPlaced)]
    for event in placed:
        assert allowed(spec, story.state.open_tasks[event.task].spec, spec.agents[event.agent])
        assert story.state.agents[event.agent].in_service
        check_decision(spec, event)
    used = Counter(e.agent for e in placed)
    assert all(used[name] <= spec.agents[name].slots for name in used)
    ids = {e.task for e in events if hasattr(e, "task")}
    assert len(ids) == len(events) == len(tasks), "every task is placed or has a reason"


def check_decision(spec: FleetSpec, event: TaskPlaced) -> None:
    """The explanation adds up: what is left after every rule is what was removed before."""
    decision = event.decision
    left = decision.considered
    assert left == len(spec.agents)
    for rejection in decision.rejections:
        left -= rejection.count
        assert rejection.left == left
    assert 1 <= decision.fitting <= left
    scores = [candidate.score for candidate in decision.candidates]
    assert scores == sorted(scores, reverse=True)
    assert [r.rule for r in decision.rejections] == [
        r for r in Rule if r in {x.rule for x in decision.rejections}
    ]


@given(fleets(), specs())
def test_a_task_waits_only_if_nobody_who_may_take_it_is_free(
    spec: FleetSpec, task: TaskSpec
) -> None:
    story = Story(spec)
    story.all_up()
    story.submit(task)
    (event,) = Router(spec).schedule(story.state, {}, 99_000)
    could = [a for a in spec.agents.values() if allowed(spec, task, a)]
    assert isinstance(event, TaskPlaced) == bool(could)


@given(fleets(), st.lists(specs(), max_size=12), st.randoms(use_true_random=False))
def test_many_in_one_round_are_decided_as_one_after_the_other(
    spec: FleetSpec, tasks: list[TaskSpec], random: Random
) -> None:
    """What a round keeps up to date is what a fresh look would find, explanation included."""
    story = Story(spec)
    story.all_up()
    for name in spec.agents:
        if random.random() < 0.2:
            story.cordon(name)
    for task in tasks:
        story.submit(task)
    together = [
        e for e in Router(spec).schedule(story.state, {}, 99_000) if isinstance(e, TaskPlaced)
    ]
    for placed in together:
        alone = decided_alone(story.state, story.state.open_tasks[placed.task])
        assert alone == placed.decision
        story.add(placed)


class Forgetful(Router):
    """Works out who stands where anew for each decision."""

    def decide(self, task: Task, wanted: Requirement, round_: Round) -> RoutingDecision:
        round_.candidate_sets.clear()
        return super().decide(task, wanted, round_)


@given(fleets(), st.lists(specs(), max_size=12), st.randoms(use_true_random=False))
def test_a_round_says_the_same_whether_it_keeps_what_it_worked_out_or_not(
    spec: FleetSpec, tasks: list[TaskSpec], random: Random
) -> None:
    """Also where agents share a lane or are on trial."""
    gateways = {
        name: replace(a, kind=OpenClawAgent(port=random.choice([1, 2]), token="secret:env:T"))
        if random.random() < 0.5
        else a
        for name, a in spec.agents.items()
    }
    spec = replace(spec, agents=gateways)
    story = Story(spec)
    story.all_up()
    for task in tasks:
        story.submit(task)
    tripped = Breaker(since_ms=1, until_ms=2, harmless=random.random() < 0.5, reason="x")
    agents = {
        name: replace(a, health=Health.SUSPECT, breaker=tripped) if random.random() < 0.3 else a
        for name, a in story.state.agents.items()
    }
    state = replace(story.state, agents=agents)
    probes: dict[AgentName, ProbeResult] = {
        name: VitalsReading(
            agent=name, observed_at_ms=1, latency_ms=1.0, capacity=random.choice([None, 1, 2, 3])
        )
        for name in spec.agents
    }
    kept = Router(spec).schedule(state, probes, 99_000)
    assert kept == Forgetful(spec).schedule(state, probes, 99_000)


@given(specs(), fleets())
def test_equal_requirements_are_equal_values(task: TaskSpec, spec: FleetSpec) -> None:
    first, second = requirement_of(spec, task), requirement_of(spec, task)
    assert first == second
    assert hash(first) == hash(second)


MARK = Checkpoint(text=Untrusted("page 7"), sha256="7")


class Lifecycle(RuleBasedStateMachine):
    """An operator, time and agents that say anything at any moment: the ledger stays sound."""

    def __init__(self) -> None:
        super().__init__()
        spec = fleet(agent("a1"), agent("a2", capabilities=["gpu"]), agent("a3", slots=1))
        self.story = Story(spec)
        self.story.all_up()
        self.memory = remember(self.story.state)
        self.starts: Counter[str] = Counter()

    def step(self, *inputs: Input) -> None:
        before, moment = self.story.state, StepTime(self.story.now_ms, Epoch(1))
        taken = step(before, self.memory, inputs, moment)
        again = step(before, self.memory, inputs, moment)  # its router has to begin anew
        assert again.events == taken.events, "what is kept changes nothing"
        assert (again.replies, again.state) == (taken.replies, taken.state)
        self.memory = taken.memory
        routed = [e for e in taken.events if isinstance(e, TaskPlaced | TaskPending)]
        self.story.add(*taken.events[: len(taken.events) - len(routed)])
        agents = self.story.state.agents
        self.starts.update(e.run for e in routed if isinstance(e, TaskPlaced))
        given = Counter(e.agent for e in routed if isinstance(e, TaskPlaced))
        for name, count in given.items():
            found = agents[name]
            assert found.in_service or (found.may_be_tried(moment.now_ms) and count == 1)
        self.story.add(*routed)
        assert self.story.state == taken.state

    @rule(spec=specs(), key=st.integers(0, 30))
    def submit(self, spec: TaskSpec, key: int) -> None:
        command = Submit(task=TaskId(f"T{key:025d}"), key=str(key), spec=spec)
        self.command(command)

    def command(self, command: Command) -> None:
        self.step(Asked("me", command))

    @precondition(lambda self: self.story.state.totals.submitted)
    @rule(data=st.data())
    def operator(self, data: st.DataObject) -> None:
        known = [t.id for t in self.story.state.tasks()]
        task = data.draw(st.sampled_from(known))
        verdict = data.draw(st.sampled_from(Verdict))
        found = self.story.state.task(task)
        run = found.attempt.run_id if found is not None and found.attempt is not None else None
        choices: list[Command] = [
            Cancel(tasks=(task,)),
            Resolve(task=task, run=run, verdict=verdict, reason="x"),
            Requeue(tasks=(task,)),
            Hold(tasks=(task,)),
            Release(tasks=(task,)),
            Expedite(tasks=(task,)),
            SetPriority(tasks=(task,), priority=data.draw(st.sampled_from(Priority))),
            Edit(task=task, spec=data.draw(specs())),
            Drop(tasks=(task,), reason="x"),
        ]
        self.command(data.draw(st.sampled_from(choices)))

    @property
    def askable(self) -> list[RunId]:
        """Runs that somebody still asks about."""
        state = self.story.state
        runs = {r for a in state.agents.values() for r in a.runs}
        late = {a.run_id for t in state.tasks() for a in t.attempts if a.is_unheard}
        return sorted(runs | late)

    @precondition(lambda self: self.askable)
    @rule(data=st.data())
    def word(self, data: st.DataObject) -> None:
        runs = self.askable
        run = data.draw(st.sampled_from(runs))
        facts: list[Fact] = [
            Started(),
            Running(),
            Running(checkpoint=MARK),
            NotStarted(reason="no"),
            NotStarted(reason="no", fenced=True),
            Finished(ok=True),
            Finished(ok=False, failure="exit-1"),
            Finished(ok=False, failure="model-error"),
            Died(reason="gone"),
            Died(reason="gone", checkpoint=MARK),
            Stopped(),
        ]
        lost = Unknown(LostReason.CONNECTION_LOST)
        words: list[RunReport] = [lost, *(Definite(f) for f in facts)]
        word = data.draw(st.sampled_from(words))
        self.step(RunReported(run, word))

    @rule(name=st.sampled_from(["a1", "a2", "a3"]), health=st.sampled_from(Health))
    def health(self, name: str, health: Health) -> None:
        found = self.story.state.agents[AgentName(name)]
        told = HealthChanged(agent=found.name, health=health, was=found.health, reason="a test")
        self.step(Told((told,)))

    @rule(ms=st.integers(1, 1_000_000))
    def time(self, ms: int) -> None:
        self.story.now_ms += ms
        self.step(Tick())

    @invariant()
    def no_run_is_placed_twice(self) -> None:
        assert all(count == 1 for count in self.starts.values())

    @invariant()
    def slots_hold_exactly_the_open_attempts(self) -> None:
        state = self.story.state
        held = {r for a in state.agents.values() for r in a.runs}
        open_runs = {
            t.open_attempt.run_id for t in state.open_tasks.values() if t.open_attempt is not None
        }
        assert held == open_runs
        for name, found in state.agents.items():
            assert len(found.runs) <= state.fleet.agents[name].slots

    @invariant()
    def an_open_breaker_lets_one_run_through_within_a_bounded_time(self) -> None:
        for found in self.story.state.agents.values():
            breaker = found.breaker
            if breaker is None:
                continue
            assert breaker.trial is None or breaker.trial in found.runs
            assert breaker.until_ms - self.story.now_ms <= BREAK.cap_ms

    @invariant()
    def active_means_an_open_attempt(self) -> None:
        for task in self.story.state.open_tasks.values():
            assert (task.phase is TaskPhase.ACTIVE) == (task.open_attempt is not None)
            assert not task.phase.is_closed
        assert all(t.phase.is_closed for t in self.story.state.ended_tasks())

    @invariant()
    def once_tasks_start_at_most_once_unless_a_person_says_so(self) -> None:
        state = self.story.state
        for task in state.tasks():
            if task.spec.task_class is TaskClass.ONCE and task.phase is not TaskPhase.WAITING:
                started = [a for a in task.attempts if not a.phase.never_started]
                spoken = sum(
                    getattr(r.event, "task", None) == task.id
                    and type(r.event).__name__ in ("TaskResolved", "TaskRetrying")
                    for r in self.story.rows
                )
                assert len(started) <= 1 + spoken

    @invariant()
    def held_tasks_are_not_placed(self) -> None:
        for task in self.story.state.open_tasks.values():
            assert task.hold is None or task.phase is TaskPhase.WAITING

    @invariant()
    def the_queue_is_counted_right(self) -> None:
        state = self.story.state
        tasks = state.open_tasks.values()
        assert state.open_by_priority == Counter(t.spec.priority for t in tasks)
        clients = [t.spec.client for t in tasks if t.spec.client is not None]
        assert state.open_by_client == Counter(clients)

    @invariant()
    def dead_letters_are_failures_that_nobody_dropped(self) -> None:
        state = self.story.state
        for task in state.ended_tasks():
            failed = task.phase in (TaskPhase.FAILED, TaskPhase.EXPIRED)
            assert (task.id in state.dead_letters) == (failed and task.dropped_by is None)

    @invariant()
    def a_task_is_what_its_own_events_tell(self) -> None:
        stories: dict[TaskId, list[Recorded]] = {}
        for row in self.story.rows:
            about = task_of(row.event)
            if about is not None:
                stories.setdefault(about, []).append(row)
        for task in self.story.state.tasks():
            told = retell(task.id, stories[task.id])
            assert told.task is not None
            whole = [d for d in self.story.state.decisions if d.task == task.id]
            # The story's own engine is the ledger's: Story writes with one epoch.
            attempts = tuple(replace(a, epoch=Epoch(0)) for a in told.task.attempts)
            assert replace(told.task, attempts=attempts) == task
            assert list(told.decisions)[-len(whole) or MAX_DECISIONS :] == whole

    def teardown(self) -> None:
        """Folding row by row, in any batches, and again from the start gives the same state."""
        again = EMPTY_STATE
        for row in self.story.rows:
            again = fold(again, [row])
        assert again == self.story.state
        assert fold(EMPTY_STATE, self.story.rows) == self.story.state


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=settings().max_examples * 3 // 5)
