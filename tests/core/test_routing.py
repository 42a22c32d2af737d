"""Who takes which task: filters, pools, strategies, and why others wait."""

from collections import Counter

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.fleet import (
    AgentSpec,
    FleetSpec,
    OpenClawAgent,
    Priority,
    ResidencyRule,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, ClientName, Region, TaskId, run_id
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import PendingCode, Rule
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.tasks.events import (
    AttemptCheckpointed,
    AttemptDied,
    AttemptStarted,
    TaskPending,
    TaskPlaced,
    TaskRetrying,
)
from fleet_tui.core.tasks.evidence import Checkpoint
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.routing import decided_alone

NOTHING_SEEN: dict[AgentName, ProbeResult] = {}


def story(spec: FleetSpec, *tasks: TaskSpec) -> Story:
    told = Story(spec)
    told.all_up()
    for task in tasks:
        told.submit(task)
    return told


def route(state: FleetState, now_ms: int = 10_000) -> list[TaskPlaced]:
    events = Router(state.fleet).schedule(state, NOTHING_SEEN, now_ms)
    return [e for e in events if isinstance(e, TaskPlaced)]


def held(state: FleetState) -> TaskPending:
    (event,) = Router(state.fleet).schedule(state, NOTHING_SEEN, 10_000)
    assert isinstance(event, TaskPending)
    return event


def test_a_capability_that_nobody_has_holds_the_task_and_says_what_would_help() -> None:
    told = story(fleet(agent("a1"), agent("a2")), work(needs=["gpu"]))
    pending = held(told.state).pending
    assert pending.code is PendingCode.CAPABILITY
    assert pending.code.is_held
    assert "gpu" in pending.detail
    assert "a1" in pending.remedy
    assert pending.decision is not None
    (rejection,) = pending.decision.rejections
    assert (rejection.rule, rejection.count, rejection.left) == (Rule.CAPABILITY, 2, 0)
    assert rejection.example == "a1 has no gpu"


def with_checkpoint(told: Story, spec: TaskSpec) -> TaskId:
    """A task whose first run left a checkpoint and is over."""
    task = told.submit(spec)
    run = run_id(task, 1)
    told.add(
        TaskPlaced(
            task=task,
            run=run,
            agent=AgentName("program"),
            number=1,
            decision=decided_alone(told.state, told.state.open_tasks[task], NOTHING_SEEN),
        ),
        AttemptStarted(run=run),
        AttemptCheckpointed(
            run=run, checkpoint=Checkpoint(text=Untrusted("page 1"), sha256="0" * 64)
        ),
        AttemptDied(run=run, reason="host rebooted"),
        TaskRetrying(task=task, not_before_ms=0, reason="host rebooted"),
    )
    return task


GATEWAY = replace(agent("gateway"), kind=OpenClawAgent(port=1, token="secret:env:T"))


def test_work_with_a_checkpoint_goes_on_where_it_can_be_given_one() -> None:
    told = story(fleet(agent("program"), GATEWAY))
    task = with_checkpoint(told, work(task_class=TaskClass.RESUMABLE))
    (placed,) = route(told.state)
    assert (placed.task, placed.agent) == (task, "program")
    told.cordon("program")
    pending = held(told.state).pending
    assert pending.code is PendingCode.CORDON


def test_work_with_a_checkpoint_waits_where_nobody_can_be_given_one() -> None:
    told = story(fleet(agent("program"), GATEWAY))
    with_checkpoint(told, work(task_class=TaskClass.RESUMABLE))
    told.add(FleetLoaded(spec=fleet(GATEWAY)))
    pending = held(told.state).pending
    assert pending.code is PendingCode.CAPABILITY
    assert pending.detail == "no agent has checkpoint support"
    assert pending.remedy == "return an agent that is a program to service, or add one"
    assert pending.decision is not None
    (rejection,) = pending.decision.rejections
    assert rejection.example == "gateway cannot resume from a checkpoint"


def test_a_checkpoint_that_is_of_no_use_keeps_no_agent_out() -> None:
    told = story(fleet(agent("program"), GATEWAY))
    with_checkpoint(told, work(task_class=TaskClass.IDEMPOTENT))
    told.cordon("program")
    (placed,) = route(told.state)
    assert placed.agent == "gateway"


def test_an_isolated_client_waits_rather_than_share_when_its_last_agent_is_gone() -> None:
    told = story(fleet(agent("a1"), isolated=["acme"]), work(client="acme"), work(client="beta"))
    (placed,) = route(told.state)
    assert told.state.open_tasks[placed.task].spec.client == "beta"
    pending = next(
        e.pending
        for e in Router(told.state.fleet).schedule(told.state, NOTHING_SEEN, 10_000)
        if isinstance(e, TaskPending)
    )
    assert pending.code is PendingCode.ISOLATION


def test_every_rule_says_how_many_it_removed_in_order() -> None:
    spec = fleet(
        agent("a1", region="us"),
        agent("a2", capabilities=["gpu"], region="us"),
        agent("a3", capabilities=["gpu"], region="eu", clients=["acme"]),
        agent("a4", capabilities=["gpu"], region="eu"),
        residency=[ResidencyRule(regions=(Region("eu"),), client=ClientName("globex"))],
    )
    told = story(spec, work(needs=["gpu"], client="globex"))
    (placed,) = route(told.state)
    assert placed.agent == "a4"
    told_rules = [(r.rule, r.count, r.left) for r in placed.decision.rejections]
    assert told_rules == [
        (Rule.CAPABILITY, 1, 3),
        (Rule.RESIDENCY, 1, 2),
        (Rule.ISOLATION, 1, 1),
    ]


def test_residency_rules_and_the_tasks_own_wish_are_both_kept() -> None:
    spec = fleet(
        agent("a1", region="eu"),
        agent("a2", region="us"),
        residency=[ResidencyRule(regions=(Region("eu"),), client=ClientName("globex"))],
    )
    told = story(spec, work(client="globex", regions=["us"]))
    assert held(told.state).pending.code is PendingCode.RESIDENCY


def test_a_client_with_agents_of_its_own_uses_no_shared_ones() -> None:
    spec = fleet(agent("a1", clients=["acme"], slots=1), agent("a2"))
    told = story(spec, work(client="acme"), work(client="acme"), work(client="other"))
    placed = route(told.state)
    assert [(p.agent, p.number) for p in placed] == [("a1", 1), ("a2", 1)]


def test_slots_are_never_overbooked_within_a_round() -> None:
    told = story(fleet(agent("a1", slots=2), agent("a2", slots=1)), *[work()] * 5)
    placed = route(told.state)
    assert sorted(p.agent for p in placed) == ["a1", "a1", "a2"]


def test_urgent_work_goes_first() -> None:
    told = story(
        fleet(agent("a1", slots=1)), work("low", priority=Priority.P3), work(priority=Priority.P0)
    )
    (placed,) = route(told.state)
    task = told.state.open_tasks[placed.task]
    assert task.spec.priority is Priority.P0


def test_round_robin_goes_on_where_it_stopped() -> None:
    spec = fleet(*(agent(f"a{n}", slots=9) for n in range(3)), strategy=Strategy.ROUND_ROBIN)
    told = story(spec)
    order = []
    for _ in range(7):
        told.submit(work())
        (placed,) = route(told.state)
        told.add(placed)
        order.append(placed.agent)
    assert order == ["a0", "a1", "a2", "a0", "a1", "a2", "a0"]
    assert placed.decision.note == "turn 1 of 3"


def test_load_aware_takes_the_emptier_agent() -> None:
    spec = fleet(agent("a1", slots=4), agent("a2", slots=4))
    told = story(spec, *[work()] * 4)
    for placed in route(told.state):
        told.add(placed)
    assert {a.name: len(a.runs) for a in told.state.agents.values()} == {"a1": 2, "a2": 2}


def test_load_aware_prefers_the_agent_that_answers_quickly() -> None:
    told = story(fleet(agent("a1"), agent("a2")), work())
    probes: dict[AgentName, ProbeResult] = {
        AgentName(name): VitalsReading(agent=AgentName(name), observed_at_ms=0, latency_ms=latency)
        for name, latency in (("a1", 900.0), ("a2", 2.0))
    }
    (event,) = Router(told.state.fleet).schedule(told.state, probes, 10_000)
    assert isinstance(event, TaskPlaced)
    assert event.agent == "a2"
    margin = event.decision.margin
    assert margin is not None
    assert margin > 0
    best = event.decision.candidates[0]
    assert best.score == pytest.approx(sum(t.value for t in best.terms), abs=1e-3)


def test_capability_strategy_keeps_the_generalist_free() -> None:
    spec = fleet(
        agent("all", capabilities=["gpu", "browser", "eu"]),
        agent("gpu", capabilities=["gpu"]),
        strategy=Strategy.CAPABILITY,
    )
    (placed,) = route(story(spec, work(needs=["gpu"])).state)
    assert placed.agent == "gpu"


def test_plain_work_stays_in_its_home_pool_unless_overflow_is_allowed() -> None:
    def spec(overflow: list[str]) -> FleetSpec:
        return fleet(
            agent("a1", slots=1),
            agent("g1", pool="gpu", capabilities=["gpu"]),
            overflow=overflow,
        )

    two = [work(), work()]
    assert [p.agent for p in route(story(spec([]), *two).state)] == ["a1"]
    assert [p.agent for p in route(story(spec(["gpu"]), *two).state)] == ["a1", "g1"]


@pytest.mark.parametrize(
    "health", [h for h in Health if h not in (Health.UP, Health.DEGRADED, Health.RETIRED)]
)
def test_only_agents_in_service_get_work(health: Health) -> None:
    told = story(fleet(agent("a1")), work())
    told.health("a1", health)
    assert held(told.state).pending.code is PendingCode.STATE


def test_cordoned_agents_get_no_work_and_the_remedy_names_them() -> None:
    told = story(fleet(agent("a1")), work())
    told.cordon("a1")
    pending = held(told.state).pending
    assert pending.code is PendingCode.CORDON
    assert pending.remedy == "uncordon a1"


def test_a_pending_reason_is_recorded_once() -> None:
    told = story(fleet(agent("a1")), work(needs=["gpu"]))
    told.add(held(told.state))
    assert Router(told.state.fleet).schedule(told.state, NOTHING_SEEN, 11_000) == []


def test_a_full_fleet_is_a_matter_of_waiting_not_of_holding() -> None:
    told = story(fleet(agent("a1", slots=1), agent("a2")), work(), work())
    told.health("a2", Health.DOWN)
    events = Router(told.state.fleet).schedule(told.state, NOTHING_SEEN, 10_000)
    pending = [e.pending for e in events if isinstance(e, TaskPending)]
    assert [p.code for p in pending] == [PendingCode.CAPACITY]
    assert not pending[0].code.is_held


def test_the_same_inputs_give_the_same_decision() -> None:
    told = story(fleet(*(agent(f"a{n}") for n in range(5))), *[work()] * 8)
    router = Router(told.state.fleet)
    first = router.schedule(told.state, NOTHING_SEEN, 10_000)
    assert first == Router(told.state.fleet).schedule(told.state, NOTHING_SEEN, 10_000)


def test_a_router_that_handed_on_its_queues_says_the_same_as_before() -> None:
    told = story(fleet(agent("a1", slots=1)), work(), work())
    router = Router(told.state.fleet)
    first = router.schedule(told.state, NOTHING_SEEN, 10_000)
    told.add(*first)
    changed = [event.task for event in first if isinstance(event, TaskPlaced | TaskPending)]
    newest = told.submit(work(needs=["gpu"]))
    successor = router.successor()
    after = successor.schedule(told.state, NOTHING_SEEN, 11_000, [*changed, newest])
    assert [type(event) for event in after] == [TaskPending]
    assert router.schedule(told.state, NOTHING_SEEN, 11_000, []) == after


def test_a_home_out_of_service_is_said_so_although_another_pool_is_free() -> None:
    spec = fleet(agent("a1"), agent("g1", pool="gpu", capabilities=["gpu"]))
    told = story(spec, work())
    told.health("a1", Health.DOWN)
    pending = held(told.state).pending
    assert pending.code is PendingCode.STATE
    assert pending.decision is not None
    assert [(r.rule, r.left) for r in pending.decision.rejections] == [
        (Rule.HOME, 1),
        (Rule.STATE, 0),
    ]


def test_agents_of_one_gateway_share_its_lane() -> None:
    def gateway(name: str, port: int) -> AgentSpec:
        return replace(
            agent(name, slots=6), kind=OpenClawAgent(port=port, agent_id=name, token="secret:env:T")
        )

    spec = fleet(gateway("main", 1), gateway("other", 1), gateway("alone", 2))
    told = story(spec)
    told.submit_many(work(), 30)
    probes: dict[AgentName, ProbeResult] = {
        AgentName(name): VitalsReading(
            agent=AgentName(name), observed_at_ms=0, latency_ms=1.0, capacity=8
        )
        for name in spec.agents
    }

    def placed(probes: dict[AgentName, ProbeResult]) -> Counter[str]:
        events = Router(spec).schedule(told.state, probes, told.now_ms)
        return Counter(e.agent for e in events if isinstance(e, TaskPlaced))

    now = placed(probes)
    assert now["main"] + now["other"] == 8
    assert now["alone"] == 6, "a lane of its own is as wide as the file says"
    unknown = placed({})
    assert unknown["main"] + unknown["other"] == 6, "nobody told how wide it is"
    events = Router(spec).schedule(told.state, probes, told.now_ms)
    told.add(*events)
    assert not placed(probes), "open runs count"
    pending = next(t.pending for t in told.state.open_tasks.values() if not t.attempts)
    assert pending is not None
    assert pending.code is PendingCode.CAPACITY


def test_the_fleet_file_alone_answers_these_rules() -> None:
    assert {rule for rule in Rule if rule.is_of_file} == {
        Rule.PIN, Rule.POOL, Rule.CAPABILITY, Rule.RESIDENCY, Rule.ISOLATION,
    }  # fmt: skip
