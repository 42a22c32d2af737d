"""One world from its seed to its verdict: trouble for a while, then peace, then the reckoning."""

import asyncio
import gc
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from fleet_tui.core.events import Recorded, kind_of
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.fold import fold
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.core.state import EMPTY_STATE, FleetState, TaskPhase
from fleet_tui.engine import engine as engine_module
from fleet_tui.sim.gateway_releases import NEWEST
from fleet_tui.sim.virtual.checks import Checks, Violation
from fleet_tui.sim.virtual.draw import draw
from fleet_tui.sim.virtual.engines import EngineProcess
from fleet_tui.sim.virtual.faults import Trouble
from fleet_tui.sim.virtual.gateways import SimGateway
from fleet_tui.sim.virtual.host import LONG_S, Habit, SimHost
from fleet_tui.sim.virtual.letters import LetterOperator
from fleet_tui.sim.virtual.loop import Deadlock, Livelock, NotVirtual, Running, VirtualLoop
from fleet_tui.sim.virtual.meddler import Meddler
from fleet_tui.sim.virtual.network import Internet
from fleet_tui.sim.virtual.people import People
from fleet_tui.sim.virtual.scenario import START_MS, Network, Scenario
from fleet_tui.sim.virtual.store import Store
from fleet_tui.sim.virtual.truth import Truth
from fleet_tui.sim.virtual.verdict import judge

LIVENESS_S = 600.0
"""In peace every task has ended, or waits for an operator, within this time after the last program
began or ended: some work long, and others wait for them."""
LOOK_S = 5.0
MODE_TOLD = "engine mode %s: %s"
"""An engine's word on what its disk does to it, which is no bug of ours."""
SETTLE_S = 110.0
"""Watched after the last task ended: what was to be stopped has stopped by then."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a world."""

    seed: int
    violations: tuple[Violation, ...]
    notes: tuple[tuple[int, str], ...]
    """Everything that happened: virtual milliseconds and words."""
    rows: tuple[Recorded, ...]
    steps: int
    virtual_s: float


class World:
    """Everything in it. Made by :func:`play`."""

    def __init__(self, scenario: Scenario) -> None:
        seed = scenario.seed
        self.scenario = scenario
        self.loop = VirtualLoop(_dice(seed, "loop"), fair=scenario.fair)
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
        self.checks = Checks(self)
        self.hosts: dict[HostName, SimHost] = {
            name: SimHost(name, self.loop, _dice(seed, f"host/{name}"), self.truth, self._habit)
            for name in scenario.fleet.hosts
        }
        self.net = Internet(
            self.loop, _dice(seed, "net"), self.hosts, scenario.network, self.checks.sent
        )
        self.net.nameless.update(scenario.nameless)
        self.store = Store(self.loop, _dice(seed, "disk"), scenario.disk, self.checks.committed)
        self.gateways: dict[AgentName, SimGateway] = {
            name: SimGateway(
                name,
                host,
                self.loop,
                _dice(seed, f"gateway/{name}"),
                self.truth,
                self._habit,
                lambda: START_MS + round(self.loop.time() * 1_000),
                scenario.releases.get(name, NEWEST),
            )
            for name, spec in scenario.fleet.agents.items()
            if name in scenario.gateways and (host := spec.host) is not None
        }
        self.people = People(self, _dice(seed, "people"))
        self.letters = (
            LetterOperator(self, scenario.letters, _dice(seed, "letter-operator"))
            if scenario.letters is not None
            else None
        )
        self.meddler = (
            Meddler(self, scenario.meddling, _dice(seed, "meddler"))
            if scenario.meddling is not None
            else None
        )
        self._trouble = Trouble(self, _dice(seed, "faults"))
        self._rng = _dice(seed, "world")
        self.engines: list[EngineProcess] = []

    def now_ms(self) -> int:
        """What the engine's machine shows as the time; it may jump."""
        return START_MS + self.clock_offset_ms + round(self.loop.time() * 1_000)

    def note(self, text: str) -> None:
        """Something happened."""
        self._notes.append((round(self.loop.time() * 1_000), text))

    def note_row(self, row: Recorded) -> None:
        """Something was committed."""
        self._notes.append((round(self.loop.time() * 1_000), row))

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

    async def live(self) -> None:
        """The whole life of the world."""
        for gateway in self.gateways.values():
            gateway.start(0)
        self.start_engine()
        scenario, loop = self.scenario, self.loop
        for job in scenario.jobs:
            loop.create_task(self.people.client(job), context=loop.outside.copy())
        for fault in scenario.faults:
            loop.create_task(self._trouble.strike(fault), context=loop.outside.copy())
        if scenario.verdicts:
            loop.create_task(self.people.operator(), context=loop.outside.copy())
        rounds: asyncio.Task[None] | None = None
        if self.letters is not None:
            rounds = loop.create_task(self.letters.work(), context=loop.outside.copy())
        await asyncio.sleep(scenario.safety_s)
        self.healed_s = loop.time()
        self.disturbed_s.append(loop.time())
        await self._trouble.heal()
        await self._find_peace()
        if self.letters is not None and rounds is not None:
            await rounds
            await self.letters.go_round()
            await self._find_peace()
        repaired = any(fault.kind == "unfit-host" for fault in scenario.faults)
        if repaired or any(execution.lives for execution in self.truth.executions):
            await asyncio.sleep(SETTLE_S)
        self.final = fold(EMPTY_STATE, self.store.rows)

    async def _find_peace(self) -> None:
        """Until nothing is left to do, or it takes too long."""
        since_s = self.loop.time()
        while self.loop.time() < max(since_s, self._progress_s()) + LIVENESS_S:
            await self.people.put_in_order()
            await asyncio.sleep(LOOK_S)
            if self._is_calm():
                return

    def outcome(self) -> Outcome:
        """What became of it."""
        notes = tuple((at_ms, _words(said)) for at_ms, said in self._notes)
        return Outcome(
            seed=self.scenario.seed,
            violations=tuple(self.checks.violations),
            notes=notes,
            rows=tuple(self.store.rows),
            steps=self.loop.steps,
            virtual_s=self.loop.time(),
        )

    def _start_after(self, engine: EngineProcess) -> None:
        if engine is self.newest:
            self.start_engine()

    def _habit(self, run: str) -> Habit:
        habit = self._habits.get(run)
        if habit is None:
            dice = _dice(self.scenario.seed, f"habit/{run}")
            habit = self._habits[run] = Habit(dice, self.scenario.run_s)
            letters = self.scenario.letters
            if letters is not None and dice.random() < letters.failing:
                habit.status = 3
            if self.scenario.failing and dice.random() < self.scenario.failing:
                habit.status = 3
            if self.scenario.long and dice.random() < self.scenario.long:
                habit.seconds = LONG_S
        return habit

    def _progress_s(self) -> float:
        """When peace began, or a program began or ended after that."""
        moves = (e.started_s if e.ended_s is None else e.ended_s for e in self.truth.executions)
        return max(self.healed_s, *moves, 0.0)

    def _is_calm(self) -> bool:
        """Whether nothing is left to do: every client has its answer and every task its end."""
        if self.people.waiting:
            return False
        engine = self.newest
        state = engine.state if engine is not None else None
        return state is not None and all(
            task.phase is TaskPhase.NEEDS_OPERATOR for task in state.open_tasks.values()
        )


def play(seed: int) -> Outcome:
    """Live through the world of a seed. The same seed gives the same outcome, byte for byte."""
    world = World(draw(seed))
    with _heard(world.problems), _ticking(world.scenario.tick_ms), _collector_off():
        try:
            world.loop.run_to_end(world.live())
            judge(world)
        except (Deadlock, Livelock, NotVirtual) as problem:
            world.checks.broken("no-bugs", f"{type(problem).__name__}: {problem}")
        for problem_text in world.loop.problems:
            world.checks.broken("no-bugs", problem_text)
    return world.outcome()


def _dice(seed: int, name: str) -> random.Random:
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


@contextmanager
def _ticking(tick_ms: int) -> Iterator[None]:
    """Let time weigh less: the engine looks at its deadlines every so often."""
    usual = engine_module.TICK_MS
    engine_module.TICK_MS = tick_ms
    try:
        yield
    finally:
        engine_module.TICK_MS = usual


@contextmanager
def _collector_off() -> Iterator[None]:
    """A world is short and all of it is needed until its end; looking for garbage takes a fifth of
    the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Ear(logging.Handler):
    """Errors that the engine caught and logged are bugs here: no port raises what it must not."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._problems = problems

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg == MODE_TOLD:
            return
        error = record.exc_info[1] if record.exc_info else None
        self._problems.append(f"{record.getMessage()}: {error!r}")


@contextmanager
def _heard(problems: list[str]) -> Iterator[None]:
    logger = logging.getLogger("fleet_tui")
    ear, propagate, level = _Ear(problems), logger.propagate, logger.level
    logger.addHandler(ear)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.removeHandler(ear)
