"""What a world is made of: what is there, before anybody does anything in it."""

import random
from collections.abc import Callable, Sequence

from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.core.ledger.events import Recorded, kind_of
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.sim.gateway.releases import NEWEST
from fleet_tui.sim.virtual.engines import EngineProcess
from fleet_tui.sim.virtual.gateways import SimGateway
from fleet_tui.sim.virtual.host import LONG_S, Habit, SimHost
from fleet_tui.sim.virtual.loop import Running, VirtualLoop
from fleet_tui.sim.virtual.network import Internet
from fleet_tui.sim.virtual.scenario import START_MS, Network, Scenario
from fleet_tui.sim.virtual.store import Store
from fleet_tui.sim.virtual.truth import Truth

Sent = Callable[[int, HostName, bytes], None]
"""The first bytes of a question leave: the engine's epoch, to whom, what."""
Asked = Callable[[int, str, str], None]
"""A question about a run leaves: the engine's epoch, what is asked, the run."""
Committed = Callable[[Sequence[Recorded]], None]
"""These are on the disk."""


class World:
    """Hosts, gateways, the network, a disk, and the engines on it. Who lives in it is added by
    :mod:`fleet_tui.sim.virtual.life`, and watches by the ``on_`` lists."""

    def __init__(self, scenario: Scenario) -> None:
        seed = scenario.seed
        self.scenario = scenario
        self.loop = VirtualLoop(dice(seed, "loop"), fair=scenario.fair)
        self.truth = Truth()
        self.fleet: FleetSpec = scenario.fleet
        """As the fleet file says now."""
        self.healed = False
        self.healed_s = float("inf")
        self.clock_offset_ms = 0
        self.disturbed_s: list[float] = []
        """When an engine ended, stopped or started."""
        self.problems: list[str] = []
        self.final: FleetState = EMPTY_STATE
        self._notes: list[tuple[int, str | Recorded]] = []
        self._habits: dict[str, Habit] = {}
        self.on_sent: list[Sent] = []
        self.on_asked: list[Asked] = []
        self.on_committed: list[Committed] = [self._note_rows]
        self.hosts: dict[HostName, SimHost] = {
            name: SimHost(name, self.loop, dice(seed, f"host/{name}"), self.truth, self._habit)
            for name in scenario.fleet.hosts
        }
        self.net = Internet(self.loop, dice(seed, "net"), self.hosts, scenario.network, self._sent)
        self.net.nameless.update(scenario.nameless)
        self.store = Store(self.loop, dice(seed, "disk"), scenario.disk, self._committed)
        self.gateways: dict[AgentName, SimGateway] = {
            name: SimGateway(
                name,
                host,
                self.loop,
                dice(seed, f"gateway/{name}"),
                self.truth,
                self._habit,
                lambda: START_MS + round(self.loop.time() * 1_000),
                scenario.releases.get(name, NEWEST),
            )
            for name, spec in scenario.fleet.agents.items()
            if name in scenario.gateways and (host := spec.host) is not None
        }
        self._rng = dice(seed, "world")
        self.engines: list[EngineProcess] = []

    def now_ms(self) -> int:
        """What the engine's machine shows as the time; it may jump."""
        return START_MS + self.clock_offset_ms + round(self.loop.time() * 1_000)

    def note(self, text: str) -> None:
        """Something happened."""
        self._notes.append((round(self.loop.time() * 1_000), text))

    def _note_rows(self, rows: Sequence[Recorded]) -> None:
        at_ms = round(self.loop.time() * 1_000)
        self._notes.extend((at_ms, row) for row in rows)

    def notes(self) -> tuple[tuple[int, str], ...]:
        """Everything that happened: virtual milliseconds and words."""
        return tuple((at_ms, _words(said)) for at_ms, said in self._notes)

    # --- what is watched ---

    def _sent(self, epoch: int, host: HostName, stdin: bytes) -> None:
        for hear in self.on_sent:
            hear(epoch, host, stdin)

    def _committed(self, rows: Sequence[Recorded]) -> None:
        for hear in self.on_committed:
            hear(rows)

    def asked(self, epoch: int, verb: str, run_id: str) -> None:
        """A question about a run leaves for a gateway."""
        for hear in self.on_asked:
            hear(epoch, verb, run_id)

    # --- the engine ---

    @property
    def newest(self) -> EngineProcess | None:
        """The engine that was started last."""
        return self.engines[-1] if self.engines else None

    def start_engine(self) -> None:
        """Start another engine."""
        self.disturbed_s.append(self.loop.time())
        number = len(self.engines) + 1
        self.note(f"engine {number} starts")
        self.engines.append(EngineProcess(self, number))

    def kill_engine(self) -> None:
        """SIGKILL for the newest, if it runs."""
        engine = self.newest
        if engine is not None and engine.process.running is not Running.DEAD:
            engine.kill()
            self.engine_ended(engine)

    def engine_ended(self, engine: EngineProcess) -> None:
        """It was killed, stopped or failed; whoever looks after it starts another."""
        self.note(f"engine {engine.number} ended")
        if engine is self.newest:
            self.loop.later(self._rng.uniform(0.3, 4.0), self._start_after, engine)

    def quiet_since(self, host: HostName, at_s: float) -> float:
        """Since when neither the way to a host nor the engine has been in trouble."""
        link = self.net.links[host]
        last = max((t for t in self.disturbed_s if t <= at_s), default=0.0)
        return max(last, link.whole_since_s, self.healed_s)

    def heard_since(self, host: HostName, at_s: float) -> float:
        """Since when all that a host says has been heard: its answers do not get lost, and the way
        to it and the engine are well."""
        last = max((t for t in self.disturbed_s if t <= at_s), default=0.0)
        calm_s = 0.0 if self.scenario.network == Network() else self.healed_s
        return max(last, self.net.links[host].whole_since_s, calm_s)

    def _start_after(self, engine: EngineProcess) -> None:
        if engine is self.newest:
            self.start_engine()

    def _habit(self, run: str) -> Habit:
        habit = self._habits.get(run)
        if habit is None:
            own = dice(self.scenario.seed, f"habit/{run}")
            habit = self._habits[run] = Habit(own, self.scenario.run_s)
            letters = self.scenario.letters
            if letters is not None and own.random() < letters.failing:
                habit.status = 3
            if self.scenario.failing and own.random() < self.scenario.failing:
                habit.status = 3
            if self.scenario.long and own.random() < self.scenario.long:
                habit.seconds = LONG_S
        return habit


def dice(seed: int, name: str) -> random.Random:
    """Chance of its own for each part of a world: one more throw here moves nothing there."""
    return random.Random(f"{seed}/{name}")  # noqa: S311  # a simulation, not a secret


def _words(said: str | Recorded) -> str:
    if isinstance(said, str):
        return said
    event = said.event
    about = [
        str(value)
        for name in ("task", "run", "agent", "phase", "health", "reason")
        if (value := getattr(event, name, None)) is not None
    ]
    return f"{said.seq} {kind_of(event)} {' '.join(about)}"
