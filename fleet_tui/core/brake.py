"""The mass-failure brake: when most of a pool vanishes at once, the fault is probably ours.

While a pool's brake is on, unknown runs of its agents are not given up and nothing of theirs is
started elsewhere on the strength of silence.
"""

from fleet_tui.core.events import Event, FailoverFrozen, FailoverThawed
from fleet_tui.core.ids import PoolName
from fleet_tui.core.state import FleetState, Health

LOST_SHARE = 0.55
LOST_AT_LEAST = 3
WITHIN_MS = 60_000


def reconcile_brake(state: FleetState, now_ms: int) -> list[Event]:
    """Freeze pools that lost too many agents within a minute; thaw those that have enough again."""
    size: dict[PoolName, int] = {}
    lost: dict[PoolName, int] = {}
    lost_lately: dict[PoolName, int] = {}
    for spec in state.fleet.agents.values():
        size[spec.pool] = size.get(spec.pool, 0) + 1
        agent = state.agents.get(spec.name)
        if agent is None or agent.health not in (Health.UNREACHABLE, Health.DOWN):
            continue
        lost[spec.pool] = lost.get(spec.pool, 0) + 1
        if now_ms - agent.since_ms <= WITHIN_MS:
            lost_lately[spec.pool] = lost_lately.get(spec.pool, 0) + 1
    events: list[Event] = []
    for pool, count in size.items():
        frozen = pool in state.frozen_pools
        recent = lost_lately.get(pool, 0)
        if not frozen and recent >= LOST_AT_LEAST and recent >= LOST_SHARE * count:
            reason = f"{recent} of {count} agents lost within a minute"
            events.append(FailoverFrozen(pool=pool, reason=reason))
        elif frozen and lost.get(pool, 0) < LOST_SHARE * count:
            events.append(FailoverThawed(pool=pool))
    events.extend(FailoverThawed(pool=p) for p in state.frozen_pools if p not in size)
    return events
