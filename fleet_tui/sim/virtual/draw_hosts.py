"""Worlds with hosts that answer but cannot take work, and with host names that do not resolve.

Each kind has a random generator of its own, so that worlds without it do not change.
"""

import random

from msgspec.structs import replace

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.sim.virtual.scenario import Fault, Network, Scenario, program

CUT_POOL = "cut-pool"


def with_odd_hosts(world: Scenario) -> Scenario:
    """The world, with some of its hosts odd if its seed says so."""
    dice = random.Random(f"{world.seed}/unfit")  # noqa: S311  # a simulation, not a secret
    if dice.random() < 0.12:
        world = _with_unfit_hosts(world, dice)
    dice = random.Random(f"{world.seed}/names")  # noqa: S311  # a simulation, not a secret
    vanishes = [fault.kind for fault in world.faults] == [CUT_POOL]
    if dice.random() < (0.7 if vanishes else 0.06):
        world = _with_unknown_names(world, dice, late=not vanishes)
    return world


def _with_unfit_hosts(world: Scenario, rng: random.Random) -> Scenario:
    """Hosts answer every probe but cannot take runs for a while. The network works, so that probes
    find out."""
    hosts = list(world.fleet.hosts)
    unfit = [
        Fault(
            at_s=rng.uniform(1.0, 0.4 * world.safety_s),
            kind="unfit-host",
            host=host,
            for_s=rng.choice((30.0, 60.0, 200.0)),
            amount=rng.uniform(-1.0, 0.5),
        )
        for host in hosts
        if rng.random() < 0.6
    ]
    faults = [*unfit, *(f for f in world.faults if f.kind not in _UNSETTLING)]
    faults.sort(key=lambda fault: fault.at_s)
    return replace(world, faults=tuple(faults), network=Network())


_UNSETTLING = frozenset({"cut-host", "cut-requests", "cut-answers", CUT_POOL, "fill-disk"})
"""What keeps an engine from finding out that a host is unfit, or makes another one of it."""


def _with_unknown_names(world: Scenario, rng: random.Random, *, late: bool) -> Scenario:
    """Some agents of a pool have a host whose name does not resolve; one of them may resolve
    later."""
    fleet = world.fleet
    pool = rng.choice(sorted(fleet.pools))
    models = [spec for spec in fleet.agents.values() if spec.pool == pool]
    lost = [HostName(f"lost{n}") for n in range(1, 1 + max(3, len(models)))]
    agents = {
        name: replace(rng.choice(models), name=name, kind=program(name), host=host, clients=())
        for n, host in enumerate(lost, start=1)
        for name in [AgentName(f"n{n}")]
    }
    named = [
        Fault(at_s=rng.uniform(5.0, 0.6 * world.safety_s), kind="name-host", host=host)
        for host in lost[:1]
        if late
    ]
    hosts = {h: HostSpec(name=h, address=h, use_ssh_config=False) for h in lost}
    return replace(
        world,
        fleet=replace(fleet, hosts={**fleet.hosts, **hosts}, agents={**fleet.agents, **agents}),
        faults=tuple(sorted((*world.faults, *named), key=lambda fault: fault.at_s)),
        nameless=frozenset(lost),
    )
