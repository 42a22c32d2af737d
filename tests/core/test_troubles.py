"""What is wrong with the agents that a task waits for."""

from typing import Any

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker, CanaryRun
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.troubles import (
    MAX_NAMED,
    Missing,
    WaitsFor,
    cure_of,
    next_trial,
    trouble_of,
    waits_for,
)
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.routing.decision import Pending, PendingCode, Rejection, RoutingDecision, Rule
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story


def test_a_waiting_task_names_what_is_wrong_with_each_agent_and_whose_turn_it_is() -> None:
    story = Story(fleet(agent("cleo"), agent("bert"), agent("anna")))
    story.all_up()
    for name, kind in (("cleo", FailureKind.GATEWAY_AUTH), ("bert", FailureKind.GATEWAY_DOWN)):
        story.add(
            HealthChanged(
                agent=AgentName(name),
                health=Health.DOWN,
                was=Health.UP,
                reason="gone",
                failure=kind,
                detail=Untrusted(f"{name} says why"),
            )
        )
    story.cordon("anna")
    task = story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    found = story.state.task(task)
    assert found is not None
    told = waits_for(story.state, found).told
    assert [(each.agent, each.trouble) for each in told] == [
        ("cleo", "down: its gateway rejects the token, needs an operator"),
        ("bert", "down: its gateway is not running"),
        ("anna", "cordoned by me"),
    ]
    assert [each.said.raw for each in told] == ["cleo says why", "bert says why", ""]
    assert all(each.cure == cure_of(story.state.agents[each.agent]) for each in told)
    story.health("bert", Health.UP)
    still = [each.agent for each in waits_for(story.state, found).told]
    assert still == ["cleo", "anna"], "what was is not told as what is"


def test_of_a_large_fleet_a_few_are_named() -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(40))))
    task = story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    found = story.state.task(task)
    assert found is not None
    waits = waits_for(story.state, found)
    assert len(waits.told) == MAX_NAMED
    assert waits.more
    assert all(trouble_of(a) == "joining" for a in story.state.agents.values())


def test_every_failure_has_a_cure() -> None:
    for kind in FailureKind:
        found = AgentState(
            name=AgentName("a"), health=Health.DOWN, failure=kind, reason=f"because of {kind.value}"
        )
        assert cure_of(found)
        told = found.reason if kind.is_of_host else kind.text
        assert told in (trouble_of(found) or "")
    for health in Health:
        assert cure_of(AgentState(name=AgentName("a"), health=health))


def one(health: Health, **known: object) -> AgentState:
    return AgentState(name=AgentName("a"), health=health, **known)  # type: ignore[arg-type]  # checked by the struct


CORDON = CordonRecord(by="ann", reason="repair", since_ms=1)
BREAKER = Breaker(since_ms=1, until_ms=2, harmless=True, reason="refused 3 in a row")


@pytest.mark.parametrize("health", Health)
def test_why_an_agent_takes_no_work_is_told_once_and_with_its_cure(health: Health) -> None:
    out = None if health.takes_work else health.value
    assert trouble_of(one(health)) == out
    assert trouble_of(one(health, reason=health.value)) == out
    assert trouble_of(one(health, reason="so")) == (out and f"{out}: so")
    failed = one(health, reason="so", failure=FailureKind.TIMEOUT)
    assert trouble_of(failed) == (out and f"{out}: it did not answer in time")
    token = one(health, reason="so", failure=FailureKind.GATEWAY_AUTH)
    assert trouble_of(token) == (out and f"{out}: its gateway rejects the token, needs an operator")
    lacks = one(health, reason="cannot take work, because so", failure=FailureKind.CANNOT_WORK)
    assert trouble_of(lacks) == (out and f"{out}: cannot take work, because so")
    assert trouble_of(one(health, cordon=CORDON)) == "cordoned by ann"


@pytest.mark.parametrize("health", Health)
def test_the_cure_is_of_the_cordon_then_of_the_failure_then_of_the_breaker(
    health: Health,
) -> None:
    timeout = FailureKind.TIMEOUT
    everything = one(health, cordon=CORDON, failure=timeout, breaker=BREAKER)
    assert cure_of(everything) == "`fleet-tui uncordon a` returns it to routing"
    failed = cure_of(one(health, failure=timeout, breaker=BREAKER))
    assert failed == (
        "check the host and the network path to it; `ssh` from this machine shows more"
    )
    tried = cure_of(one(health, breaker=BREAKER))
    assert tried == (
        "fix the reported problem, then run `fleet-tui uncordon a`; a successful trial also "
        "returns it to routing"
    )
    waits = (Health.STARTING, Health.JOINING, Health.DRAINING, Health.SUSPECT)
    cure = cure_of(one(health))
    if health in waits:
        assert cure == "wait; if it persists, check the agent's log"
    elif health is Health.QUARANTINED:
        assert cure == "it is flapping: check its host and the network path to it"
    else:
        assert cure == "check the agent's log"


@pytest.mark.parametrize(
    ("count", "more"), [(MAX_NAMED - 1, False), (MAX_NAMED, False), (MAX_NAMED + 1, True)]
)
def test_there_are_more_when_not_all_are_named(count: int, more: bool) -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(count))))
    task = story.submit(work())
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    found = story.state.task(task)
    assert found is not None
    waits = waits_for(story.state, found)
    assert (len(waits.told), waits.more) == (min(count, MAX_NAMED), more)


@pytest.mark.parametrize("code", PendingCode)
def test_only_who_waits_for_agents_waits_for_these(code: PendingCode) -> None:
    story = Story(fleet(agent("down"), agent("left"), agent("up")))
    story.all_up()
    story.health("down", Health.DOWN)
    story.health("left", Health.RETIRED)
    names = tuple(AgentName(name) for name in ("down", "left", "up", "gone"))
    rejections = tuple(
        Rejection(rule=rule, wanted="w", count=4, left=0, agents=names) for rule in Rule
    )
    decision = RoutingDecision(
        strategy=Strategy.LOAD_AWARE, policy="p", considered=4, rejections=rejections
    )
    task = story.submit(work())
    found = story.state.open_tasks[task]
    pending = Pending(code=code, since_ms=1, decision=decision)
    waits = waits_for(story.state, replace(found, pending=pending))
    agents_are = (PendingCode.STATE, PendingCode.TRIAL, PendingCode.CORDON)
    for_agents = code in (*agents_are, PendingCode.CAPACITY)
    assert code.is_for_agents == (code in agents_are)
    cure = cure_of(story.state.agents[AgentName("down")])
    told = Missing(AgentName("down"), "down: a test", NOTHING_SAID, cure)
    assert waits == (WaitsFor(told=(told, told, told)) if for_agents else WaitsFor())
    for nothing in (replace(pending, decision=None), None):
        assert waits_for(story.state, replace(found, pending=nothing)) == WaitsFor()


CANARY = CanaryRun(run=RunId("canary-a1.1"), since_ms=30_000)


@pytest.mark.parametrize(
    ("now_ms", "changes", "by_task", "by_canary"),
    [
        (
            59_999,
            {},
            "next trial: one task from 01:01:00",
            "next trial: a canary run from 01:01:00",
        ),
        (
            60_000,
            {},
            "next trial: the next task that may run again",
            "next trial: a canary run",
        ),
        (
            60_000,
            {"harmless": True},
            "next trial: the next eligible task",
            "next trial: a canary run",
        ),
        (
            60_000,
            {"trial": RunId("t.1")},
            "on trial with one task now",
            "on trial with one task now",
        ),
        (
            60_000,
            {"canaries": (CANARY,)},
            "canary run in progress since 01:00:30",
            "canary run in progress since 01:00:30",
        ),
        (
            59_999,
            {"relapsed": True},
            "next trial: one task from 01:01:00",
            "next trial: one task from 01:01:00",
        ),
    ],
)
def test_when_an_agent_whose_work_failed_is_tried_again_and_how(
    now_ms: int, changes: dict[str, Any], by_task: str, by_canary: str
) -> None:
    breaker = Breaker(since_ms=0, until_ms=60_000, harmless=False, reason="so")
    changes = dict(changes)
    canaries = changes.pop("canaries", ())
    failing = AgentState(
        name=AgentName("a1"),
        health=Health.SUSPECT,
        breaker=replace(breaker, **changes),
        canaries=canaries,
    )
    spec = agent("a1")
    assert next_trial(failing, spec, now_ms, offset_minutes=60) == by_task
    assert next_trial(failing, replace(spec, canary=True), now_ms, 60) == by_canary
    assert next_trial(failing, spec, now_ms) == next_trial(failing, spec, now_ms, 0)
    assert next_trial(failing, None, now_ms) is None
    assert next_trial(replace(failing, breaker=None), spec, now_ms) is None
