"""Everything the engine does beyond its own ledger, made to match the committed state."""

import random
from collections.abc import Callable, Sequence

from fleet_tui.core.attempts import collectable
from fleet_tui.core.events import FleetLoaded, Recorded
from fleet_tui.core.fleet import AgentSpec, FleetSpec
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.state import EMPTY_STATE, FleetState
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
        self._made_for: dict[AgentName, FleetSpec] = {}
        self._leaving: list[Watcher] = []
        self._outdated = False
        """Whether a watcher had to stay although the file changed: its agent still runs work."""
        self._dispatcher = Dispatcher(self._port, hear, rng)
        self._begun = False
        self._state = EMPTY_STATE

    def follow(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        """Match watchers to the fleet file and workers to the open runs."""
        self._state = state
        loaded = any(isinstance(r.event, FleetLoaded) for r in recorded)
        if not self._begun or loaded or self._outdated:
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

    def _collectable(self, name: AgentName) -> Sequence[RunId]:
        return collectable(self._state, name, self._clock.now_ms())

    def _port(self, name: AgentName) -> AgentPort | None:
        watcher = self._watchers.get(name)
        return watcher.port if watcher is not None else None

    def _match(self, state: FleetState) -> None:
        wanted = state.fleet.agents
        self._outdated = False
        for name, watcher in list(self._watchers.items()):
            agent = state.agents.get(name)
            busy = agent is not None and bool(agent.runs)
            changed = name in wanted and not self._same_place(state.fleet, name)
            if name in wanted and not changed:
                continue
            if busy:
                self._outdated = True
                continue
            # Closed with the engine: closing waits, and this method may not.
            self._leaving.append(self._watchers.pop(name))
            watcher.stop()
        for name, spec in wanted.items():
            if name not in self._watchers:
                self._made_for[name] = state.fleet
                self._watchers[name] = Watcher(
                    name,
                    spec.probe,
                    self._port_of(state.fleet, spec),
                    clock=self._clock,
                    rng=self._rng,
                    seen=self._seen,
                    heard=self._heard,
                    finished=self._collectable,
                )

    def _same_place(self, fleet: FleetSpec, name: AgentName) -> bool:
        """Whether the port made for an agent still reaches it in the way the file says."""
        before, after = self._made_for[name], fleet
        old, new = before.agents[name], after.agents[name]
        host_before = before.hosts.get(old.host) if old.host is not None else None
        host_after = after.hosts.get(new.host) if new.host is not None else None
        same_agent = (old.kind, old.probe) == (new.kind, new.probe)
        return same_agent and host_before == host_after
