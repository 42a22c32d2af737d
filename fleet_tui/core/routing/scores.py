"""How the agents that could take a task are ranked, term by term.

A score is the sum of its terms, so an explanation is complete. Scores are counted in whole
ten-thousandths: sums are exact, and the same on every machine. Higher is better; equal scores keep
the fleet file's order.
"""

from typing import assert_never

import msgspec

from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import ProbeResult, VitalsReading
from fleet_tui.core.fleet import AgentSpec, Strategy
from fleet_tui.core.ids import Capability
from fleet_tui.core.routing.decision import Candidate, ScoreTerm

ONE = 10_000
"""A score of 1.0."""

FREE_WEIGHT = 6_000
"""Scored by an agent with all slots free; none free scores zero."""
QUICK_WEIGHT = 2_000
"""Scored by a gateway that answers at once; one that takes QUICK_HALF_MS scores half of it."""
QUICK_HALF_MS = 50.0
QUEUE_WEIGHT = 2_000
"""Lost when the agent's own queue is as long as its slots are many."""
DEGRADED_PENALTY = 3_000
TRIED_PENALTY = 5_000
"""Lost by an agent on which this task was tried before."""
SPARE_WEIGHT = 1_000
"""Lost for each capability that the task does not need (capability strategy)."""


class FreeAgent(msgspec.Struct, frozen=True):
    """An agent with a free slot, as routing sees it at this moment."""

    spec: AgentSpec
    agent: AgentState
    in_use: int
    """Slots in use, those given away in this round included."""
    probe: ProbeResult | None


Term = tuple[str, int]


def terms(strategy: Strategy, free: FreeAgent, needs: frozenset[Capability]) -> list[Term]:
    """The terms that do not depend on the turn; none for round-robin."""
    match strategy:
        case Strategy.ROUND_ROBIN:
            return []
        case Strategy.LOAD_AWARE:
            return _load_terms(free)
        case Strategy.CAPABILITY:
            spare = len(free.spec.capabilities - needs)
            return [("fit", ONE - SPARE_WEIGHT * spare), *_load_terms(free)]
        case _:
            assert_never(strategy)


def _load_terms(free: FreeAgent) -> list[Term]:
    slots = free.spec.slots
    found: list[Term] = [("free slots", FREE_WEIGHT * (slots - free.in_use) // slots)]
    probe = free.probe
    if isinstance(probe, VitalsReading):
        found.append(
            ("quick", int(QUICK_WEIGHT * QUICK_HALF_MS / (QUICK_HALF_MS + probe.latency_ms)))
        )
        if probe.queued:
            found.append(("own queue", -min(QUEUE_WEIGHT * probe.queued // slots, QUEUE_WEIGHT)))
    if free.agent.health is Health.DEGRADED:
        found.append(("degraded", -DEGRADED_PENALTY))
    return found


def turn_term(place: int, after: int, size: int) -> Term:
    """How soon it is this agent's turn: ``place`` and ``after`` (who had the last turn, -1 for
    nobody) count from 0 among ``size`` agents of the pool."""
    return ("turn", ONE - (place - after - 1) % size * ONE // size)


TRIAL_TERM: Term = ("on trial", 10 * ONE)
"""An agent whose breaker is open comes first for the one task that is its trial."""

TRIED_TERM: Term = ("tried before", -TRIED_PENALTY)


def total(found: list[Term]) -> int:
    """The score in ten-thousandths."""
    score = 0
    for _, value in found:
        score += value
    return score


def candidate(free: FreeAgent, found: list[Term]) -> Candidate:
    """The agent with its score as people read it."""
    return Candidate(
        agent=free.spec.name,
        score=total(found) / ONE,
        terms=tuple(ScoreTerm(name, value / ONE) for name, value in found),
    )
