"""Which hosts of a fleet file are one machine, once ssh_config has resolved their names.

Pure: the caller passes the answers of ``ssh -G``. ``check`` compares agents by :func:`machine_of`;
the engine records what :func:`same_machines` finds, so that the agents of one gateway share its
lane whatever names it is reached by.
"""

from collections.abc import Mapping

import msgspec

from fleet_tui.core.fleet import FleetSpec, HostSpec, OpenClawAgent
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import ConfigRefusal, Resolved

Answers = Mapping[HostName, Resolved | ConfigRefusal]


def hosts_to_ask(fleet: FleetSpec) -> tuple[HostSpec, ...]:
    """The hosts that might matter as one machine, and those on the way to them: only gateways on
    equal ports can be one gateway. Programs have no lane to share."""
    hosts: dict[int, dict[HostName, None]] = {}
    for agent in fleet.agents.values():
        if isinstance(agent.kind, OpenClawAgent) and agent.host is not None:
            hosts.setdefault(agent.kind.port, {})[agent.host] = None
    asked: dict[HostName, HostSpec] = {}
    plain = _as_written(fleet)
    for there in hosts.values():
        if len(there) > 1:
            asked.update((spec.name, spec) for host in there for spec in plain.way(host))
    return tuple(asked.values())


def machine_of(fleet: FleetSpec, host: HostName, answers: Answers) -> tuple[object, ...] | None:
    """Equal for two hosts that ssh_config resolves to one machine, as :meth:`FleetSpec.machine` is
    for the file. None where ssh refused to resolve the host, or was not asked."""
    if not isinstance(answers.get(host), Resolved):
        return None
    return tuple(_step(spec, answers.get(spec.name)) for spec in _as_written(fleet).way(host))


def same_machines(fleet: FleetSpec, answers: Answers) -> dict[HostName, HostName]:
    """:attr:`FleetSpec.same` after these answers: only what does not follow from the file itself.

    A host that ssh refused keeps its last finding, or else counts as the machine of a host with the
    same address: a config that is unreadable for a moment changes nothing.
    """
    plain = _as_written(fleet)
    told = {host: machine_of(plain, host, answers) for host in plain.hosts}
    at: dict[tuple[object, ...], tuple[object, ...]] = {}
    for host, machine in told.items():
        if machine is not None:
            at.setdefault(plain.machine(host), machine)
    first_of: dict[tuple[object, ...], HostName] = {}
    same: dict[HostName, HostName] = {}
    for host, machine in told.items():
        known = fleet.same.get(host, host) if machine is None else host
        written = plain.machine(known)
        where = told.get(known) or at.get(written, written)
        first = first_of.setdefault(where, host)
        if plain.machine(first) != plain.machine(host):
            same[host] = first
    return same


def _as_written(fleet: FleetSpec) -> FleetSpec:
    return msgspec.structs.replace(fleet, same={})


def _step(spec: HostSpec, answer: Resolved | ConfigRefusal | None) -> tuple[object, ...]:
    if not isinstance(answer, Resolved):
        return spec.place
    address, port, way = answer.machine()
    # The fleet file's own jump host overrides any jump or proxy in ssh_config.
    return (address, port, way if spec.jump is None else None)
