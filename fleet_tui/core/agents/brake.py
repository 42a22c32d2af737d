"""The mass-failure brake: when most of a pool vanishes at once, the fault is probably ours.

While a pool's brake is on, unknown runs of its agents are not given up, and none of their tasks is
started elsewhere because of silence.
"""

from collections import Counter
from typing import assert_never

from fleet_tui.core.agents.events import FailoverBraked, FailoverResumed
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.ids import AgentName, PoolName
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState

LOST_SHARE = 0.55
LOST_AT_LEAST = 3
WITHIN_MS = 60_000


def _is_silent(agent: AgentState) -> bool:
    """Whether it does not answer now. One that answers, but whose work fails, is not silent; one
    that left the fleet file and came back is silent until it answers."""
    match agent.health:
        case Health.UNREACHABLE | Health.DOWN | Health.JOINING:
            return True
        case Health.SUSPECT:
            return agent.breaker is None or agent.failure is not None
        case (
            Health.UP
            | Health.DEGRADED
            | Health.STARTING
            | Health.DRAINING
            | Health.QUARANTINED
            | Health.RETIRED
        ):
            return False
        case _:
            assert_never(agent.health)


def is_braked(state: FleetState, agent: AgentName) -> bool:
    """Whether nothing may be concluded from an agent's silence. One that has left the fleet file
    may have belonged to any pool."""
    spec = state.fleet.agents.get(agent)
    return bool(state.braked_pools) if spec is None else spec.pool in state.braked_pools


def reconcile_brake(state: FleetState, now_ms: int) -> list[Event]:
    """Stop failover of pools that lost too many agents within a minute; resume it where enough
    agents answer again."""
    answered: Counter[PoolName] = Counter()
    silent: Counter[PoolName] = Counter()
    lost_lately: Counter[PoolName] = Counter()
    for spec in state.fleet.agents.values():
        agent = state.agents.get(spec.name)
        if agent is None or not agent.was_ever_up:
            continue  # a name that never answered is not lost, and not one of those that answered
        answered[spec.pool] += 1
        if _is_silent(agent):
            silent[spec.pool] += 1
        if agent.health.has_vanished and now_ms - agent.since_ms <= WITHIN_MS:
            lost_lately[spec.pool] += 1
    events: list[Event] = []
    for pool, count in answered.items():
        braked = pool in state.braked_pools
        recent = lost_lately[pool]
        if not braked and recent >= LOST_AT_LEAST and recent >= LOST_SHARE * count:
            reason = f"{recent} of {count} agents lost within a minute"
            events.append(FailoverBraked(pool=pool, reason=reason))
        elif braked and silent[pool] < LOST_SHARE * count:
            events.append(FailoverResumed(pool=pool))
    # Where no agent ever answered, none is lost: the pool is new, or it is gone.
    events.extend(FailoverResumed(pool=p) for p in state.braked_pools if p not in answered)
    return events
