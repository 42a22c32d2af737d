"""Pools, regions and clients of a fleet, counted."""

from collections.abc import Iterable

import msgspec

from fleet_tui.console.text.cells import MAX_NAME_CHARS
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.text.firewall import safe_line


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """One pool: how many of its agents work, how busy their slots are."""

    name: str
    up: int
    agents: int
    slots_used: int
    slots: int
    is_braked: bool

    @property
    def busy_percent(self) -> float:
        """Taken share of the slots of agents in service."""
        return 100 * self.slots_used / self.slots if self.slots else 0.0


def pool_rows(state: FleetState) -> list[PoolRow]:
    """The pools in the fleet file's order."""
    found: list[PoolRow] = []
    for pool in state.fleet.pools:
        members = [spec for spec in state.fleet.agents.values() if spec.pool == pool]
        states = [(spec, state.agents[spec.name]) for spec in members if spec.name in state.agents]
        serving = [(spec, agent) for spec, agent in states if agent.health.takes_work]
        found.append(
            PoolRow(
                name=safe_line(pool, MAX_NAME_CHARS),
                up=len(serving),
                agents=len(members),
                slots_used=sum(len(agent.runs) for _, agent in serving),
                slots=sum(spec.slots for spec, _ in serving),
                is_braked=pool in state.braked_pools,
            )
        )
    return found


def _tally(names: Iterable[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return sorted(counts.items())


def region_counts(fleet: FleetSpec) -> list[tuple[str, int]]:
    """Agents by region, by name; those without one count as ``-``."""
    return _tally(spec.region or "-" for spec in fleet.agents.values())


def client_counts(fleet: FleetSpec) -> list[tuple[str, int]]:
    """Agents reserved for each client, by name; the last one is ``shared``."""
    named = _tally(client for spec in fleet.agents.values() for client in spec.clients)
    shared = sum(not spec.clients for spec in fleet.agents.values())
    return [*named, ("shared", shared)]
