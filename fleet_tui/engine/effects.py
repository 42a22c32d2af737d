"""Everything the engine does beyond its own ledger, made to match the committed state."""

import random
from collections.abc import Callable, Sequence

from fleet_tui.core.events import FleetLoaded, Recorded
from fleet_tui.core.fleet import AgentSpec, FleetSpec
from fleet_tui.core.ids import AgentName
from fleet_tui.core.state import FleetState
from fleet_tui.engine.cadence import Heard, Seen, Watcher
from fleet_tui.engine.clock import Clock
from fleet_tui.engine.dispatch import Dispatcher, Hear
from fleet_tui.wire.port import AgentPort

PortOf = Callable[[FleetSpec, AgentSpec], AgentPort]


class FleetEffects:
    """A watcher for every agent and a worker for every open run."""

    def __init__(
        self,
        port_of: PortOf,
        *,
        clock: Clock,
        rng: random.Random,
        seen: Seen,
        heard: Heard,
        hear: Hear,
    ) -> None:
        self._port_of = port_of
        self._clock = clock
        self._rng = rng
        self._seen = seen
        self._heard = heard
        self._watchers: dict[AgentName, Watcher] = {}
        self._specs: dict[AgentName, AgentSpec] = {}
        self._leaving: list[Watcher] = []
        self._dispatcher = Dispatcher(self._port, hear, rng)
        self._begun = False

    def follow(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        """Match watchers to the fleet file and workers to the open runs."""
        if not self._begun or any(isinstance(r.event, FleetLoaded) for r in recorded):
            self._match(state)
        self._dispatcher.follow(state, recorded)
        if not self._begun:
            self._dispatcher.resume(state)
            self._begun = True

    def probe_now(self, agents: Sequence[AgentName]) -> None:
        """Look at agents at once."""
        for name in agents:
            watcher = self._watchers.get(name)
            if watcher is not None:
                watcher.look_now()

    async def close(self) -> None:
        """Stop all work here; what runs at the agents goes on."""
        await self._dispatcher.close()
        for watcher in (*self._watchers.values(), *self._leaving):
            await watcher.close()
        self._watchers.clear()

    def _port(self, name: AgentName) -> AgentPort | None:
        watcher = self._watchers.get(name)
        return watcher.port if watcher is not None else None

    def _match(self, state: FleetState) -> None:
        wanted = state.fleet.agents
        for name, watcher in list(self._watchers.items()):
            agent = state.agents.get(name)
            busy = agent is not None and bool(agent.runs)
            changed = name in wanted and not _same_place(self._specs[name], wanted[name])
            if (name not in wanted or changed) and not busy:
                # Closed with the engine: closing waits, and this method may not.
                self._leaving.append(self._watchers.pop(name))
                watcher.stop()
        for name, spec in wanted.items():
            if name not in self._watchers:
                self._specs[name] = spec
                self._watchers[name] = Watcher(
                    name,
                    spec.probe,
                    self._port_of(state.fleet, spec),
                    clock=self._clock,
                    rng=self._rng,
                    seen=self._seen,
                    heard=self._heard,
                )


def _same_place(before: AgentSpec, after: AgentSpec) -> bool:
    """Whether the same port still reaches the agent in the same way."""
    return (before.kind, before.host, before.probe) == (after.kind, after.host, after.probe)
