"""How the agents that could take a task are ranked, term by term.

A score is the sum of its terms, so an explanation is complete. Higher is better; equal scores keep
the fleet file's order.
"""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from fleet_tui.core.decision import Candidate, ScoreTerm
from fleet_tui.core.fleet import AgentSpec, Strategy
from fleet_tui.core.ids import AgentName, Capability
from fleet_tui.core.state import AgentState, Health
from fleet_tui.core.vitals import Look, VitalsReading

FREE_WEIGHT = 0.6
"""All slots free scores this much, none free nothing."""
QUICK_WEIGHT = 0.2
"""A gateway that answers at once scores this much, one that takes QUICK_HALF_MS half of it."""
QUICK_HALF_MS = 50.0
QUEUE_WEIGHT = 0.2
"""Lost when the agent's own queue is as long as its slots are many."""
DEGRADED_PENALTY = 0.3
TRIED_PENALTY = 0.5
"""Lost by an agent on which this task was tried before."""
SPARE_WEIGHT = 0.1
"""Lost for each capability that the task does not need (capability strategy)."""


class Standing(msgspec.Struct, frozen=True):
    """An agent with a free slot, as routing sees it at this moment."""

    spec: AgentSpec
    agent: AgentState
    held: int
    """Slots in use, those given away in this round included."""
    look: Look | None


def rank(
    strategy: Strategy,
    fitting: list[Standing],
    *,
    needs: frozenset[Capability],
    tried: frozenset[AgentName],
    last_turn: AgentName | None,
    order: Mapping[AgentName, int],
) -> list[Candidate]:
    """All fitting agents with their scores, best first. ``order`` is each agent's place in its
    pool, counted from 0; ``last_turn`` is who was chosen last there."""
    match strategy:
        case Strategy.LOAD_AWARE:
            scored = [_score(s.spec.name, _load_terms(s), tried) for s in fitting]
        case Strategy.CAPABILITY:
            scored = [_score(s.spec.name, _fit_terms(s, needs), tried) for s in fitting]
        case Strategy.ROUND_ROBIN:
            after = order.get(last_turn, -1) if last_turn is not None else -1
            size = max(len(order), 1)
            scored = [
                _score(s.spec.name, [_turn_term(order[s.spec.name], after, size)], tried)
                for s in fitting
            ]
        case _:
            assert_never(strategy)
    scored.sort(key=_by_score)
    return scored


def _by_score(candidate: Candidate) -> float:
    return -candidate.score


def _score(name: AgentName, terms: list[ScoreTerm], tried: frozenset[AgentName]) -> Candidate:
    if name in tried:
        terms.append(ScoreTerm("tried before", -TRIED_PENALTY))
    total = 0.0
    for term in terms:
        total += term.value
    return Candidate(agent=name, score=round(total, 4), terms=tuple(terms))


def _load_terms(standing: Standing) -> list[ScoreTerm]:
    slots = standing.spec.slots
    terms = [ScoreTerm("free slots", round(FREE_WEIGHT * (slots - standing.held) / slots, 4))]
    look = standing.look
    if isinstance(look, VitalsReading):
        quick = QUICK_WEIGHT * QUICK_HALF_MS / (QUICK_HALF_MS + look.latency_ms)
        terms.append(ScoreTerm("quick", round(quick, 4)))
        if look.queued:
            terms.append(
                ScoreTerm("own queue", round(-QUEUE_WEIGHT * min(look.queued / slots, 1.0), 4))
            )
    if standing.agent.health is Health.DEGRADED:
        terms.append(ScoreTerm("degraded", -DEGRADED_PENALTY))
    return terms


def _fit_terms(standing: Standing, needs: frozenset[Capability]) -> list[ScoreTerm]:
    spare = len(standing.spec.capabilities - needs)
    terms = [ScoreTerm("fit", round(1.0 - SPARE_WEIGHT * spare, 4))]
    terms.extend(_load_terms(standing))
    return terms


def _turn_term(place: int, after: int, size: int) -> ScoreTerm:
    distance = (place - after - 1) % size
    return ScoreTerm("turn", round(1.0 - distance / size, 4))
