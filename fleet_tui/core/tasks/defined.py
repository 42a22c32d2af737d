"""Which names a task may use: those that the fleet file defines.

A capability or region that no agent has would make a task wait for ever, and a misspelt client
would bypass the rules about that client.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from fleet_tui.core.fleet import FleetSpec, Nameable
from fleet_tui.core.ledger.decided import unknown_name
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.tasks.model import TaskSpec

_MAX_REMEMBERED = 4


class Names(NamedTuple):
    """The names of a fleet, in the order of its file. None where any name is allowed."""

    capabilities: dict[str, None]
    regions: dict[str, None]
    clients: dict[str, None] | None
    projects: dict[str, None] | None


class _Same:
    """A fleet as a key: equal only to itself, so that a lookup is cheap."""

    def __init__(self, fleet: FleetSpec) -> None:
        self.fleet = fleet

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.fleet is self.fleet

    def __hash__(self) -> int:
        return id(self.fleet)


def names_of(fleet: FleetSpec) -> Names:
    """What the fleet defines.

    Clients and projects are free labels if the file names none. Clients are also free where
    limits.per_client sets a limit for every client.
    """
    return _names(_Same(fleet))


@lru_cache(_MAX_REMEMBERED)
def _names(same: _Same) -> Names:
    fleet = same.fleet
    agents = fleet.agents.values()
    clients = dict.fromkeys(_clients(fleet))
    projects = dict.fromkeys(_projects(fleet))
    return Names(
        capabilities=dict.fromkeys(each for a in agents for each in sorted(a.capabilities)),
        regions=dict.fromkeys(a.region for a in agents if a.region is not None),
        clients=clients if clients and fleet.limits.per_client is None else None,
        projects=projects or None,
    )


def _clients(fleet: FleetSpec) -> Iterator[str]:
    for agent in fleet.agents.values():
        yield from agent.clients
    yield from (rule.client for rule in fleet.residency if rule.client is not None)
    yield from sorted(fleet.isolated)
    yield from fleet.limits.clients
    yield from sorted(fleet.clients)


def _projects(fleet: FleetSpec) -> Iterator[str]:
    for agent in fleet.agents.values():
        yield from agent.projects
    yield from (rule.project for rule in fleet.residency if rule.project is not None)
    yield from sorted(fleet.projects)


def undefined(fleet: FleetSpec, spec: TaskSpec) -> Refused | None:
    """The refusal of the first name of a task that the fleet does not define, if there is one."""
    if spec.pool is not None and spec.pool not in fleet.pools:
        return unknown_name(Nameable.POOL, spec.pool, fleet.pools)
    if spec.agent is not None and spec.agent not in fleet.agents:
        return unknown_name(Nameable.AGENT, spec.agent, fleet.agents)
    names = names_of(fleet)
    for need in sorted(spec.needs):
        if need not in names.capabilities:
            return unknown_name(Nameable.CAPABILITY, need, names.capabilities)
    for region in spec.regions:
        if region not in names.regions:
            return unknown_name(Nameable.REGION, region, names.regions)
    if spec.client is not None and names.clients is not None and spec.client not in names.clients:
        return unknown_name(Nameable.CLIENT, spec.client, names.clients)
    project = spec.project
    if project is not None and names.projects is not None and project not in names.projects:
        return unknown_name(Nameable.PROJECT, project, names.projects)
    return None
