"""One world from its seed to its end: trouble for a while, then peace, then the reckoning."""

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.sim.virtual.checks import Checks, Violation
from fleet_tui.sim.virtual.draw import draw
from fleet_tui.sim.virtual.faults import Plague
from fleet_tui.sim.virtual.final_checks import check_at_the_end
from fleet_tui.sim.virtual.letters import LetterOperator
from fleet_tui.sim.virtual.loop import Deadlock, Livelock, NotVirtual
from fleet_tui.sim.virtual.meddler import Meddler
from fleet_tui.sim.virtual.people import People
from fleet_tui.sim.virtual.world import World, dice

LIVENESS_S = 600.0
"""In peace every task has ended, or waits for an operator, within this time after the last program
began or ended: some work long, and others wait for them."""
LOOK_S = 5.0
MODE_TOLD = "engine mode %s: %s"
"""An engine's word on what its disk does to it, which is no bug of ours."""
SETTLE_S = 110.0
"""Watched after the last task ended: what was to be stopped has stopped by then."""


class WorldOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a world."""

    seed: int
    violations: tuple[Violation, ...]
    notes: tuple[tuple[int, str], ...]
    """Everything that happened: virtual milliseconds and words."""
    rows: tuple[Recorded, ...]
    steps: int
    virtual_s: float


class Life:
    """Everybody in a world, and the course of it. ``checks`` watch."""

    def __init__(self, world: World) -> None:
        scenario, seed = world.scenario, world.scenario.seed
        self.world = world
        self.checks = Checks(world)
        world.on_sent.append(self.checks.sent)
        world.on_asked.append(self.checks.asked)
        world.on_committed.append(self.checks.committed)
        self._people = People(world, dice(seed, "people"))
        self._letters = (
            LetterOperator(world, self._people, scenario.letters, dice(seed, "letter-operator"))
            if scenario.letters is not None
            else None
        )
        if scenario.meddling is not None:
            meddler = Meddler(
                world, self._people, self.checks, scenario.meddling, dice(seed, "meddler")
            )
            world.on_committed.append(meddler.notice)
        self._trouble = Plague(world, self._people, self.checks, dice(seed, "faults"))

    async def live(self) -> None:
        """The whole life of the world."""
        world = self.world
        scenario, loop = world.scenario, world.loop
        for gateway in world.gateways.values():
            gateway.start(0)
        world.start_engine()
        for job in scenario.jobs:
            loop.create_task(self._people.client(job), context=loop.outside.copy())
        for fault in scenario.faults:
            loop.create_task(self._trouble.strike(fault), context=loop.outside.copy())
        if scenario.verdicts:
            loop.create_task(self._people.operator(), context=loop.outside.copy())
        rounds: asyncio.Task[None] | None = None
        if self._letters is not None:
            rounds = loop.create_task(self._letters.work(), context=loop.outside.copy())
        await asyncio.sleep(scenario.safety_s)
        world.healed_s = loop.time()
        world.disturbed_s.append(loop.time())
        await self._trouble.heal()
        await self._find_peace()
        if self._letters is not None and rounds is not None:
            await rounds
            await self._letters.go_round()
            await self._find_peace()
        repaired = any(fault.kind == "unfit-host" for fault in scenario.faults)
        if repaired or any(execution.lives for execution in world.truth.executions):
            await asyncio.sleep(SETTLE_S)
            if not self._is_calm():  # a verdict given meanwhile had work done again
                await self._find_peace()
        world.final = fold(EMPTY_STATE, world.store.rows)

    async def _find_peace(self) -> None:
        """Until nothing is left to do, or it takes too long."""
        loop = self.world.loop
        since_s = loop.time()
        while loop.time() < max(since_s, self._progress_s()) + LIVENESS_S:
            await self._people.put_in_order()
            await asyncio.sleep(LOOK_S)
            if self._is_calm():
                return

    def _progress_s(self) -> float:
        """When peace began, or a program began or ended after that."""
        moves = (
            e.started_s if e.ended_s is None else e.ended_s for e in self.world.truth.executions
        )
        return max(self.world.healed_s, *moves, 0.0)

    def _is_calm(self) -> bool:
        """Whether nothing is left to do: every client has its answer and every task its end."""
        if self._people.waiting:
            return False
        engine = self.world.newest
        state = engine.state if engine is not None else None
        if state is None or _wait_for_canaries(state):
            return False
        return all(task.phase is TaskPhase.NEEDS_OPERATOR for task in state.open_tasks.values())


def _wait_for_canaries(state: FleetState) -> bool:
    """Whether a canary run is under way, or is to bring back an agent that is out."""
    return any(
        agent.canary is not None
        or (
            agent.only_fails
            and (spec := state.fleet.agents.get(agent.name)) is not None
            and agent.is_tried_by_canary(spec)
        )
        for agent in state.agents.values()
    )


def play(seed: int) -> WorldOutcome:
    """Live through the world of a seed. The same seed gives the same outcome, byte for byte."""
    world = World(draw(seed))
    life = Life(world)
    with _heard(world.problems), _collector_off():
        try:
            world.loop.run_to_end(life.live())
            check_at_the_end(world, life.checks)
        except (Deadlock, Livelock, NotVirtual) as problem:
            life.checks.broken("no-bugs", f"{type(problem).__name__}: {problem}")
        for problem_text in world.loop.problems:
            life.checks.broken("no-bugs", problem_text)
    return WorldOutcome(
        seed=seed,
        violations=tuple(life.checks.violations),
        notes=world.notes(),
        rows=tuple(world.store.rows),
        steps=world.loop.steps,
        virtual_s=world.loop.time(),
    )


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
