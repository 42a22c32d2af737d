"""The terms of a score: what each is called and what it weighs."""

import pytest

from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.ids import Capability
from fleet_tui.core.routing.decision import ScoreTerm
from fleet_tui.core.routing.scores import (
    FreeAgent,
    Term,
    candidate,
    terms,
    total,
    turn_term,
)
from tests.support.fleets import agent


def free_agent(
    *, in_use: int = 0, slots: int = 4, health: Health = Health.UP, probe: ProbeResult | None = None
) -> FreeAgent:
    spec = agent("a1", slots=slots, capabilities=["gpu", "browser"])
    return FreeAgent(spec, AgentState(name=spec.name, health=health), in_use, probe)


def reading(latency_ms: float, queued: int | None = None) -> VitalsReading:
    return VitalsReading(
        agent=agent("a1").name, observed_at_ms=1, latency_ms=latency_ms, queued=queued
    )


FREE: Term = ("free slots", 6_000)


@pytest.mark.parametrize(
    ("free", "found"),
    [
        (free_agent(), [FREE]),
        (free_agent(in_use=1), [("free slots", 4_500)]),
        (free_agent(in_use=4), [("free slots", 0)]),
        (free_agent(in_use=1, slots=3), [("free slots", 4_000)]),
        (free_agent(probe=reading(0.0)), [FREE, ("quick", 2_000)]),
        (free_agent(probe=reading(50.0)), [FREE, ("quick", 1_000)]),
        (free_agent(probe=reading(150.0, 0)), [FREE, ("quick", 500)]),
        (free_agent(probe=reading(0.0, 1)), [FREE, ("quick", 2_000), ("own queue", -500)]),
        (free_agent(probe=reading(0.0, 3)), [FREE, ("quick", 2_000), ("own queue", -1_500)]),
        (free_agent(probe=reading(0.0, 90)), [FREE, ("quick", 2_000), ("own queue", -2_000)]),
        (free_agent(health=Health.DEGRADED), [FREE, ("degraded", -3_000)]),
    ],
)
def test_load_counts_free_slots_answers_queue_and_health(
    free: FreeAgent, found: list[Term]
) -> None:
    assert terms(Strategy.LOAD_AWARE, free, frozenset()) == found


def test_a_probe_that_failed_says_nothing_about_the_load() -> None:
    failed = ProbeFailure(agent=agent("a1").name, observed_at_ms=1, kind=FailureKind.SSH_AUTH)
    assert terms(Strategy.LOAD_AWARE, free_agent(probe=failed), frozenset()) == [FREE]


@pytest.mark.parametrize(
    ("needs", "fit"), [((), 8_000), (("gpu",), 9_000), (("gpu", "browser"), 10_000)]
)
def test_an_agent_fits_the_better_the_less_of_it_is_not_needed(
    needs: tuple[str, ...], fit: int
) -> None:
    needed = frozenset(Capability(n) for n in needs)
    assert terms(Strategy.CAPABILITY, free_agent(), needed) == [("fit", fit), FREE]


def test_round_robin_counts_nothing_but_whose_turn_it_is() -> None:
    assert terms(Strategy.ROUND_ROBIN, free_agent(), frozenset()) == []


@pytest.mark.parametrize(
    ("after", "turns"),
    [(-1, [10_000, 7_500, 5_000, 2_500]), (1, [5_000, 2_500, 10_000, 7_500])],
)
def test_the_turn_goes_round_the_pool_from_who_had_it_last(after: int, turns: list[int]) -> None:
    assert [turn_term(place, after, 4) for place in range(4)] == [("turn", n) for n in turns]


def test_a_candidate_shows_the_sum_and_its_terms() -> None:
    free = free_agent(health=Health.DEGRADED)
    found = [FREE, ("degraded", -3_000)]
    shown = candidate(free, found)
    assert total(found) == 3_000
    assert (shown.agent, shown.score) == (free.spec.name, 0.3)
    assert shown.terms == (ScoreTerm("free slots", 0.6), ScoreTerm("degraded", -0.3))
