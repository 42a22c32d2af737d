"""What a round says of tasks that it places and that wait, and how much it does at once."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.model import Health
from fleet_tui.core.fleet import (
    FleetSpec,
    OpenClawAgent,
    Priority,
    ResidencyRule,
    RetryBudget,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, ClientName, Region, RunId, TaskId
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import (
    MAX_NAMED_PER_RULE,
    MAX_SCORED,
    PendingCode,
    Rejection,
    RoutingDecision,
    Rule,
)
from fleet_tui.core.routing.schedule import (
    AVOID_MS,
    MAX_PLACED_PER_ROUND,
    Router,
    over_budget,
    pending_code,
    to_avoid,
)
from fleet_tui.core.tasks.events import TaskPending, TaskPlaced
from fleet_tui.core.tasks.evidence import Blame
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Starts, Task, TaskPhase, TaskSpec
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story

NOW_MS = 1_000_000
A1, A2 = AgentName("a1"), AgentName("a2")


def story(spec: FleetSpec, *tasks: TaskSpec) -> Story:
    told = Story(spec)
    told.all_up()
    for task in tasks:
        told.submit(task)
    return told


def route(state: FleetState) -> list[Event]:
    return Router(state.fleet).schedule(state, {}, NOW_MS)


def placed(state: FleetState) -> list[TaskPlaced]:
    return [e for e in route(state) if isinstance(e, TaskPlaced)]


def waits(state: FleetState) -> list[TaskPending]:
    return [e for e in route(state) if isinstance(e, TaskPending)]


# Why a task waits, and what would help


GATEWAY = OpenClawAgent(port=1, token="secret:env:T")
ACME = ClientName("acme")
NOT_THERE = [
    (
        fleet(),
        work(),
        PendingCode.NO_FLEET,
        "the fleet has no agents",
        "add agents to the fleet file",
    ),
    (
        fleet(agent("a1"), agent("a2")),
        work(needs=["gpu", "browser"]),
        PendingCode.CAPABILITY,
        "no agent has browser, gpu",
        "give a1 the capability browser, gpu, or add an agent",
    ),
    (
        fleet(agent("a1", region="us")),
        work(regions=["eu"]),
        PendingCode.RESIDENCY,
        "no eligible agent is in eu",
        "add an agent in eu like a1",
    ),
    (
        fleet(agent("a1"), isolated=["acme"]),
        work(client="acme"),
        PendingCode.ISOLATION,
        "no eligible agent may work for acme",
        "reserve an agent for acme, such as a1",
    ),
    (
        fleet(agent("a1")),
        replace(work(), agent=AgentName("bert")),
        PendingCode.PIN,
        "no agent is called bert",
        "correct the name, or submit without it",
    ),
    (
        fleet(agent("a1")),
        work(pool="gpu"),
        PendingCode.POOL,
        "no agent in pool gpu",
        "correct the name, or submit without it",
    ),
    (
        fleet(agent("a1", slots=1), agent("a2", pool="gpu", slots=9)),
        work(pool="general"),
        PendingCode.CAPACITY,
        "every eligible agent is busy",
        "",
    ),
]


@pytest.mark.parametrize(("spec", "task", "code", "detail", "remedy"), NOT_THERE)
def test_why_a_task_waits_and_what_would_place_it(
    spec: FleetSpec, task: TaskSpec, code: PendingCode, detail: str, remedy: str
) -> None:
    told = story(spec)
    if code is PendingCode.CAPACITY:
        told.submit(task)
        told.add(*route(told.state))
    told.submit(task)
    (event,) = waits(told.state)
    pending = event.pending
    assert (pending.code, pending.since_ms) == (code, NOW_MS)
    assert (pending.detail, pending.remedy) == (detail, remedy)
    assert pending.decision is not None
    assert pending.decision.considered == len(spec.agents)
    assert pending.decision.policy == spec.digest


@pytest.mark.parametrize(
    ("health", "cordoned", "code", "detail", "remedy"),
    [
        (
            Health.DOWN,
            False,
            PendingCode.STATE,
            "every eligible agent is out of service",
            "wait for a1, or return it to service",
        ),
        (
            Health.UP,
            True,
            PendingCode.CORDON,
            "every eligible agent is cordoned",
            "uncordon a1",
        ),
    ],
)
def test_agents_that_are_away_are_named_where_they_are_what_is_waited_for(
    health: Health, cordoned: bool, code: PendingCode, detail: str, remedy: str
) -> None:
    spec = fleet(agent("a1"), agent("a2"), strategy=Strategy.CAPABILITY)
    told = story(spec, work())
    for name in ("a1", "a2"):
        told.health(name, health)
        if cordoned:
            told.cordon(name)
    (event,) = waits(told.state)
    pending = event.pending
    assert (pending.code, pending.detail, pending.remedy) == (code, detail, remedy)
    assert pending.decision is not None
    assert (pending.decision.pool, pending.decision.strategy) == ("general", Strategy.CAPABILITY)
    assert (pending.decision.fitting, pending.decision.candidates) == (0, ())


def test_where_no_pool_could_ever_take_a_task_none_is_named() -> None:
    told = story(fleet(agent("a1"), strategy=Strategy.CAPABILITY), work(needs=["gpu"]))
    (event,) = waits(told.state)
    assert event.pending.decision is not None
    assert event.pending.decision.pool is None
    assert event.pending.decision.strategy is Strategy.LOAD_AWARE


def rejected(*rules: tuple[Rule, int]) -> RoutingDecision:
    return RoutingDecision(
        strategy=Strategy.LOAD_AWARE,
        policy="p",
        considered=9,
        rejections=tuple(
            Rejection(rule=rule, wanted="w", count=1, left=left) for rule, left in rules
        ),
    )


@pytest.mark.parametrize("rule", Rule)
def test_the_rule_that_removed_the_last_one_is_why_a_task_waits(rule: Rule) -> None:
    codes = {Rule.HOME: PendingCode.POOL, Rule.SLOTS: PendingCode.CAPACITY}
    code = codes.get(rule) or PendingCode(rule.value)
    assert pending_code(rejected((rule, 0))) is code
    assert pending_code(rejected((Rule.PIN, 5), (rule, 0))) is code
    assert pending_code(rejected((rule, 1), (Rule.SLOTS, 1))) is PendingCode.CAPACITY
    assert pending_code(replace(rejected((rule, 0)), considered=0)) is PendingCode.NO_FLEET


def test_where_nothing_removed_the_last_one_it_is_waited_for_a_slot() -> None:
    assert pending_code(rejected()) is PendingCode.CAPACITY
    assert pending_code(rejected((Rule.STATE, 3))) is PendingCode.CAPACITY


def test_a_spent_budget_says_what_it_is() -> None:
    pending = over_budget(RetryBudget(percent=15, floor=7), NOW_MS)
    assert (pending.code, pending.since_ms) == (PendingCode.RETRY_BUDGET, NOW_MS)
    assert pending.detail == "the fleet's retry budget is spent (15 %, 7 a minute)"


# Tasks that were tried before


def tried(
    *agents: str,
    phase: AttemptPhase = AttemptPhase.FAILED,
    blame: Blame = Blame.AGENT,
    ended_at_ms: int | None = NOW_MS,
    reason: str = "model-error",
) -> tuple[Attempt, ...]:
    decision = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="p", considered=1)
    return tuple(
        Attempt(
            run_id=RunId(f"T.{n}"),
            number=n,
            agent=AgentName(name),
            phase=phase,
            planned_at_ms=NOW_MS - 5_000,
            ended_at_ms=ended_at_ms,
            decision=decision,
            blame=blame,
            reason=reason,
        )
        for n, name in enumerate(agents, 1)
    )


def again(told: Story, count: int, attempts: tuple[Attempt, ...], **fields: object) -> FleetState:
    """The state with so many tasks more that wait for a further try."""
    names = told.submit_many(work(task_class=TaskClass.IDEMPOTENT), count)
    tasks = {
        name: replace(told.state.open_tasks[name], attempts=attempts, **fields) for name in names
    }
    return replace(told.state, open_tasks={**told.state.open_tasks, **tasks})


def one_task(attempts: tuple[Attempt, ...], **fields: object) -> Task:
    told = story(fleet(agent("a1")))
    (task,) = again(told, 1, attempts, **fields).open_tasks.values()
    return task


def test_an_agent_that_failed_a_task_by_its_own_fault_is_avoided_for_half_a_minute() -> None:
    task = one_task((*tried("a1", blame=Blame.TASK), *tried("a2"), *tried("a3")))
    avoided = {"a2", "a3"}
    assert to_avoid(task, NOW_MS) == avoided
    assert to_avoid(task, NOW_MS + AVOID_MS - 1) == avoided
    assert to_avoid(task, NOW_MS + AVOID_MS) == frozenset()
    assert to_avoid(one_task(()), NOW_MS) == frozenset()
    planned = one_task(tried("a1", ended_at_ms=None))
    assert to_avoid(planned, NOW_MS - 5_000 + AVOID_MS - 1) == {"a1"}
    assert to_avoid(planned, NOW_MS - 5_000 + AVOID_MS) == frozenset()


def test_eight_are_scored_beside_those_that_are_avoided() -> None:
    told = story(fleet(*(agent(f"a{n}") for n in range(12))))
    state = again(told, 1, tried("a0", "a1", "a2"))
    (event,) = placed(state)
    assert len(event.decision.candidates) == MAX_SCORED
    assert not {c.agent for c in event.decision.candidates} & {"a0", "a1", "a2"}
    assert event.decision.fitting == 12
    (first,) = placed(story(state.fleet, work()).state)
    assert len(first.decision.candidates) == MAX_SCORED


def busy_elsewhere(count: int, *names: str) -> FleetState:
    """These are free and failed so many tasks, which wait for others that are busy."""
    told = story(fleet(*(agent(name, slots=3) for name in names), agent("z", slots=1)))
    told.submit(replace(work(), agent=AgentName("z")))
    told.add(*route(told.state))
    return again(told, count, tried(*names))


def test_a_task_waits_for_another_agent_than_those_that_failed_it() -> None:
    (event,) = waits(busy_elsewhere(1, "a2", "a1"))
    pending = event.pending
    assert (pending.code, pending.remedy) == (PendingCode.CAPACITY, "")
    assert pending.decision is not None
    assert (pending.decision.fitting, pending.decision.pool) == (2, "general")
    assert pending.decision.rejections[-1] == Rejection(
        rule=Rule.SLOTS,
        wanted="a free slot elsewhere",
        count=2,
        left=0,
        agents=(A1, A2),
        example="a1 failed it, and the other agents are busy",
    )
    many = [f"a{n:02}" for n in range(MAX_NAMED_PER_RULE + 2)]
    (event,) = waits(busy_elsewhere(1, *many))
    assert event.pending.decision is not None
    rejection = event.pending.decision.rejections[-1]
    assert list(rejection.agents) == many[:MAX_NAMED_PER_RULE]
    assert rejection.count == len(many)


def with_a_spare_pool(overflow: Sequence[str], *busy: str) -> Story:
    """Its home has nobody free but the agent that failed it; the other one there is busy."""
    told = story(
        fleet(
            agent("a1", slots=3),
            agent("z", slots=1),
            agent("s", pool="spare", slots=1),
            overflow=overflow,
        )
    )
    for name in ("z", *busy):
        told.submit(replace(work(), agent=AgentName(name)))
    told.add(*route(told.state))
    return told


def test_a_task_goes_to_another_pool_before_it_waits_for_those_that_did_not_fail_it() -> None:
    (event,) = placed(again(with_a_spare_pool(["spare"]), 1, tried("a1")))
    assert (event.agent, event.decision.pool, event.decision.fitting) == ("s", "spare", 1)
    (event,) = placed(again(with_a_spare_pool(["spare"]), 1, ()))
    assert (event.agent, event.decision.pool) == ("a1", "general"), "nobody failed it"


@pytest.mark.parametrize("told", [with_a_spare_pool([]), with_a_spare_pool(["spare"], "s")])
def test_it_waits_where_no_other_pool_has_a_free_agent_for_it(told: Story) -> None:
    (event,) = waits(again(told, 1, tried("a1")))
    decision = event.pending.decision
    assert decision is not None
    assert (decision.pool, decision.fitting, decision.candidates) == ("general", 1, ())
    assert decision.rejections[-1].wanted == "a free slot elsewhere"


@pytest.mark.parametrize(("aside", "is_placed"), [(0, True), (1, True), (2, True), (3, False)])
def test_so_many_tasks_let_those_behind_them_go_first(
    monkeypatch: pytest.MonkeyPatch, aside: int, is_placed: bool
) -> None:
    monkeypatch.setattr("fleet_tui.core.routing.schedule.MAX_ASIDE", 2)
    state = busy_elsewhere(aside, "a1")
    behind = TaskId("BEHIND")
    retry = {"number": 99, "attempts": tried("a2")}
    known = next(t for t in state.open_tasks.values() if t.phase is TaskPhase.ACTIVE)
    last = replace(
        known,
        id=behind,
        spec=work(task_class=TaskClass.IDEMPOTENT),
        phase=TaskPhase.WAITING,
        submitted_at_ms=state.at_ms,
        **retry,
    )
    state = replace(state, open_tasks={**state.open_tasks, behind: last})
    events = route(state)
    assert [e.task for e in events if isinstance(e, TaskPlaced)] == [behind] * is_placed
    told = [e.task for e in events if isinstance(e, TaskPending)]
    assert len(told) == len(set(told)) == aside + (not is_placed), "each is told once"


def test_tasks_that_stood_aside_stand_in_their_line_again() -> None:
    state = busy_elsewhere(2, "a1")
    router = Router(state.fleet)
    assert len(router.schedule(state, {}, NOW_MS)) == 2
    later = router.schedule(state, {}, NOW_MS + AVOID_MS, changed=())
    assert [type(e) for e in later] == [TaskPlaced, TaskPlaced]


def test_a_task_goes_back_to_whom_it_failed_on_where_there_is_nobody_else() -> None:
    told = story(fleet(agent("a1"), agent("a2")))
    told.health("a2", Health.DOWN)
    (event,) = placed(again(told, 1, tried("a1")))
    assert event.agent == A1


# What else mattered


BREAKER = Breaker(since_ms=1, until_ms=2, harmless=True, reason="refused 3 in a row")


@pytest.mark.parametrize(
    ("attempts", "note"),
    [
        ((), ""),
        (tried("a1"), "retry 1 after a1: its model failed (model-error)"),
        (tried("a1", "a2", reason=""), "retry 2 after a2: failed"),
        (
            tried("a1", phase=AttemptPhase.DIED, reason="host rebooted"),
            "failover 1 after a1: host rebooted",
        ),
        (
            tried("a1", phase=AttemptPhase.NOT_STARTED, reason="gateway-draining"),
            "failover 1 after a1: its gateway is draining",
        ),
        (tried("a1", phase=AttemptPhase.GIVEN_UP, reason=""), "failover 1 after a1: given-up"),
    ],
)
def test_a_decision_notes_which_try_it_is_and_why(attempts: tuple[Attempt, ...], note: str) -> None:
    told = story(fleet(agent("a1"), agent("a2"), agent("a3")))
    (event,) = placed(again(told, 1, attempts))
    assert event.decision.note == note
    assert event.number == len(attempts) + 1
    assert event.run == f"{event.task}.{event.number}"


def test_a_decision_notes_whose_turn_it_is_and_who_is_on_trial() -> None:
    spec = fleet(agent("a1"), agent("a2"), strategy=Strategy.ROUND_ROBIN)
    told = story(spec, work(), work(), work())
    notes = [event.decision.note for event in placed(told.state)]
    assert notes == ["turn 1 of 2", "turn 2 of 2", "turn 1 of 2"]
    (retry,) = placed(again(story(spec), 1, tried("a1")))
    assert retry.decision.note == "retry 1 after a1: its model failed (model-error)"
    one = story(fleet(agent("a1")))
    state = again(one, 1, tried("a1"))
    tripped = replace(state.agents[A1], health=Health.SUSPECT, breaker=BREAKER)
    (trial,) = placed(replace(state, agents={A1: tripped}))
    assert trial.decision.note == "a1 is on trial: refused 3 in a row"


@pytest.mark.parametrize("task_class", TaskClass)
def test_a_trial_that_may_do_harm_waits_for_a_task_that_may_run_again(
    task_class: TaskClass,
) -> None:
    told = story(fleet(agent("a1")), *[work()] * 70, work(task_class=task_class))
    *_, last = told.state.open_tasks
    harmful = replace(BREAKER, harmless=False)
    tripped = replace(told.state.agents[A1], health=Health.SUSPECT, breaker=harmful)
    state = replace(told.state, agents={A1: tripped})
    is_safe = task_class is TaskClass.IDEMPOTENT
    assert [event.task for event in placed(state)] == ([last] if is_safe else [])
    first = waits(state)[0].pending
    assert (first.code, first.detail, first.remedy) == (
        PendingCode.TRIAL,
        "eligible agents are failing their runs, and only work that may run again is tried there",
        "fix a1 and uncordon it, or submit work that may run again",
    )
    assert first.decision is not None
    assert first.decision.rejections[-1].rule is Rule.TRIAL
    harmless = replace(tripped, breaker=BREAKER)
    assert placed(replace(state, agents={A1: harmless}))


# How much a round does


def test_a_round_places_so_many_and_the_next_one_goes_on() -> None:
    told = story(fleet(agent("a1", slots=400)), *[work()] * (MAX_PLACED_PER_ROUND + 2))
    router = Router(told.state.fleet)
    first = router.schedule(told.state, {}, NOW_MS)
    assert len(first) == MAX_PLACED_PER_ROUND
    told.add(*first)
    touched = [e.task for e in first if isinstance(e, TaskPlaced)]
    rest = router.schedule(told.state, {}, NOW_MS, touched)
    assert [type(e) for e in rest] == [TaskPlaced, TaskPlaced]


def test_retries_are_placed_as_long_as_the_budget_lasts_and_first_tries_go_on() -> None:
    spec = fleet(agent("a1", slots=50), retry_budget=RetryBudget(percent=0, floor=3))
    told = story(spec)
    told.submit_many(work(priority=Priority.P3), 2)
    state = again(told, 4, tried("a1", blame=Blame.NOBODY))
    state = replace(state, recent_starts=(Starts(NOW_MS // 1_000, retries=1),))
    events = route(state)
    retried = [e for e in events if isinstance(e, TaskPlaced) and e.number == 2]
    assert (len(retried), len(placed(state))) == (2, 4)
    spent = [e.pending for e in events if isinstance(e, TaskPending)]
    assert spent == [over_budget(spec.retry_budget, NOW_MS)] * 2


def test_a_task_is_told_again_only_of_another_reason() -> None:
    told = story(fleet(agent("a1")), work(needs=["gpu"]))
    told.add(*route(told.state))
    assert route(told.state) == []
    told.submit(work(needs=["gpu"]))
    assert len(route(told.state)) == 1, "the newcomer alone"
    told.cordon("a1")
    told.submit(work())
    told.add(*route(told.state))
    told.health("a1", Health.DOWN)
    (event,) = waits(told.state)
    assert event.pending.code is PendingCode.STATE


def test_residency_of_a_client_is_named_by_its_regions() -> None:
    rule = ResidencyRule(regions=(Region("eu"),), client=ACME)
    told = story(fleet(agent("a1", region="us"), residency=[rule]), work(client="acme"))
    (event,) = waits(told.state)
    assert event.pending.detail == "no eligible agent is in eu"
