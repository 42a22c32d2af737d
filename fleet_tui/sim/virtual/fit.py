"""What is promised about hosts that cannot take work, although they answer."""

from collections.abc import Mapping

from fleet_tui.core.agents.model import Health
from fleet_tui.core.ids import RunId
from fleet_tui.core.tasks.events import AttemptNotStarted
from fleet_tui.sim.virtual.checks import Checks
from fleet_tui.sim.virtual.host import SimHost
from fleet_tui.sim.virtual.world import World

FOUND_OUT_S = 8.0
"""After the time between two probes: by then the next one has told what a refused start did not."""
BACK_S = 90.0
"""In a world at peace whoever is well takes work again within this time: a host that was unfit is
tried again each half minute, and a lost agent is believed after some probes."""

_RESTS = frozenset({Health.RETIRED, Health.QUARANTINED})  # not the engine's own word for it


def fitness(world: World, checks: Checks) -> None:
    """Check that an unfit host gets no work once that is known, and work again once it is fit."""
    refused_s = {
        row.event.run: at_s
        for at_s, row in checks.view.told
        if isinstance(row.event, AttemptNotStarted)
    }
    for host in world.hosts.values():
        _is_spared(world, checks, host, refused_s)
    if world.loop.time() - world.healed_s > BACK_S:
        _is_back(world, checks)


def _is_spared(
    world: World, checks: Checks, host: SimHost, refused_s: Mapping[RunId, float]
) -> None:
    """A host that refused a start for a lack of its own gets no other before it was looked at."""
    told_s: dict[str, float] = {}
    """By agent: when the ledger was told of its first refusal that has to be remembered."""
    for run, name, at_s in host.turned_away:
        since_s = told_s.get(name)
        quiet_s = world.heard_since(host.name, at_s)
        if since_s is None or since_s < quiet_s or host.lacks_since_s > since_s:
            if RunId(run) in refused_s:
                told_s[name] = refused_s[RunId(run)]
            continue
        every_s = world.scenario.fleet.agents[name].probe.every_ms / 1_000
        if at_s - since_s > every_s + FOUND_OUT_S:
            text = f"{name} got {run} and is unfit, which it showed {at_s - since_s:.0f} s before"
            checks.broken("unfit-gets-none", text, at_s)
            return


def _is_back(world: World, checks: Checks) -> None:
    engine = world.newest
    state = engine.state if engine is not None else None
    if state is None:
        return
    last_s = max(world.disturbed_s, default=0.0)
    for spec in world.fleet.agents.values():
        agent = state.agents.get(spec.name)
        if agent is None or spec.host is None or spec.host in world.net.nameless:
            continue
        well_s = max(last_s, world.net.links[spec.host].whole_since_s)
        rests = agent.health in _RESTS or agent.breaker is not None
        if not agent.health.takes_work and not rests and world.loop.time() - well_s > BACK_S:
            text = f"{spec.name} is well for long, and {agent.health}: {agent.reason}"
            checks.broken("well-is-up", text)
