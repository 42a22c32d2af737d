"""Everything the engine does outside its own ledger, kept in line with the committed state."""

import asyncio
import random
from collections.abc import Callable, Sequence

from fleet_tui.core.fleet import AgentSpec, FleetSpec, HostSpec
from fleet_tui.core.ids import AgentName, HostName, RunId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.engine.cadence import OnLogLines, OnProbe, Watcher
from fleet_tui.engine.clock import Clock
from fleet_tui.engine.dispatch import Dispatcher, OnRunReport
from fleet_tui.engine.intents import due_after
from fleet_tui.engine.leftovers import Leftovers, PastTasks
from fleet_tui.engine.pacing import USUAL, Pacing
from fleet_tui.wire.port import AgentPort, Runs

MakePort = Callable[[FleetSpec, AgentSpec], AgentPort]


class FleetEffects:
    """A watcher for every agent and a worker for every open run."""

    def __init__(
        self,
        port_of: MakePort,
        *,
        clock: Clock,
        rng: random.Random,
        on_probe: OnProbe,
        on_log_lines: OnLogLines,
        on_run_report: OnRunReport,
        past_tasks: PastTasks,
        pacing: Pacing = USUAL,
    ) -> None:
        self._port_of = port_of
        self._pacing = pacing
        self._clock = clock
        self._rng = rng
        self._on_probe = on_probe
        self._on_log_lines = on_log_lines
        self._watchers: dict[AgentName, Watcher] = {}
        self._made_for: dict[AgentName, FleetSpec] = {}
        self._leaving: list[Watcher] = []
        """Stopped because the file changed; their ports are still needed by runs begun there."""
        self._leftovers = Leftovers(past_tasks)
        self._closing: set[asyncio.Task[None]] = set()
        self._dispatcher = Dispatcher(self._port, on_run_report, rng)
        self._has_begun = False
        self._is_settled = False
        """Whether watchers and workers match the state."""
        self._state = EMPTY_STATE

    def follow(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        """Carry out the effects of the committed events; the first time, those of the state.

        A batch that could not be carried out completely is made up with the next one: then all
        watchers and workers are matched to the state.
        """
        self._leftovers.follow(self._state, state)
        self._state = state
        due = due_after(recorded)
        due.fleet_file |= not self._is_settled
        due.runs |= not self._is_settled
        self._is_settled = False
        if due.fleet_file:
            self._match(state)
        self._dispatcher.follow(state, due)
        if self._leaving:
            self._let_go()
        if not self._has_begun:
            self._dispatcher.resume(state)
            self._has_begun = True
        self._is_settled = True

    def probe_now(self, agents: Sequence[AgentName]) -> None:
        """Probe agents now."""
        for name in agents:
            watcher = self._watchers.get(name)
            if watcher is not None:
                watcher.probe_now()

    async def close(self) -> None:
        """Stop all work here; runs on the agents continue."""
        await self._dispatcher.close()
        open_ones = [*self._watchers.values(), *self._leaving]
        self._watchers.clear()
        self._leaving.clear()
        await asyncio.gather(*(w.close() for w in open_ones), *self._closing)

    def _leftover(self, name: AgentName) -> Sequence[RunId]:
        return self._leftovers.due(self._state, name, self._clock.now_ms())

    async def _on_kept(self, name: AgentName, runs: Sequence[RunId]) -> None:
        await self._leftovers.hear(self._state, name, runs)

    def _port(self, name: AgentName) -> Runs | None:
        watcher = self._watchers.get(name)
        return watcher.port if watcher is not None else None

    def _match(self, state: FleetState) -> None:
        wanted = state.fleet.agents
        for name in list(self._watchers):
            if name in wanted and self._same_place(state.fleet, name):
                continue
            # New work follows the new file at once; runs are tracked where they began.
            watcher = self._watchers.pop(name)
            watcher.stop()
            self._leaving.append(watcher)
            del self._made_for[name]
        for name, spec in wanted.items():
            if name not in self._watchers:
                self._made_for[name] = state.fleet
                self._watchers[name] = Watcher(
                    name,
                    spec.probe,
                    self._port_of(state.fleet, spec),
                    pacing=self._pacing,
                    clock=self._clock,
                    rng=self._rng,
                    on_probe=self._on_probe,
                    on_log_lines=self._on_log_lines,
                    leftover=self._leftover,
                    on_kept=self._on_kept,
                    on_collected=self._leftovers.gone,
                )

    def _let_go(self) -> None:
        """Close watchers that left and are no longer needed. Closing waits, and this may not."""
        idle = [w for w in self._leaving if not self._dispatcher.uses(w.port)]
        for watcher in idle:
            self._leaving.remove(watcher)
            closing = asyncio.create_task(watcher.close(), name=f"close {watcher.agent}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _same_place(self, fleet: FleetSpec, name: AgentName) -> bool:
        """Whether the port made for an agent still reaches it as the file defines."""
        before, after = self._made_for[name], fleet
        old, new = before.agents[name], after.agents[name]
        same_agent = (old.kind, old.probe) == (new.kind, new.probe)
        return same_agent and _way_to(before, old.host) == _way_to(after, new.host)


def _way_to(fleet: FleetSpec, host: HostName | None) -> list[HostSpec]:
    """The host and the hosts on the way to it. The fleet file's loader refuses cycles."""
    way: list[HostSpec] = []
    while host is not None and (spec := fleet.hosts.get(host)) is not None:
        way.append(spec)
        host = spec.jump
    return way
