"""One worker per open attempt: start it, follow it, find it again, stop it.

Workers only carry questions to an agent and words back to the loop; what a word means is decided
there. A run is started at most once, by the process that committed its placement; everything else,
a restart of the engine included, inspects.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from fleet_tui.core.attempts import Word, deadlines_of, find_attempt
from fleet_tui.core.events import (
    AgentIdentified,
    AttemptGivenUp,
    HealthChanged,
    Recorded,
    TaskPlaced,
)
from fleet_tui.core.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    RunOrder,
    Stopped,
    Unknown,
)
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.retry import trace_id_of
from fleet_tui.core.state import AttemptPhase, FleetState
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.wire.port import AgentPort

log = logging.getLogger(__name__)

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 30.0
START_DEADLINE_S = 60.0
"""No start may hang longer; without an answer by then the run is unknown."""
ASK_DEADLINE_S = 45.0
FENCE_TRIES = 200
"""Questions about a run that was given up before we stop asking: about an hour and a half."""

Hear = Callable[[RunId, Word], Awaitable[None]]


def order_of(state: FleetState, run: RunId) -> RunOrder | None:
    """What an agent needs to know about a run; None when the state has forgotten it."""
    found = find_attempt(state, run)
    if found is None:
        return None
    task, attempt = found
    return RunOrder(
        run_id=run,
        task_id=task.id,
        attempt=attempt.number,
        payload=task.spec.payload,
        label=task.label,
        start_to_close_ms=deadlines_of(state, task).start_to_close_ms,
        trace_id=trace_id_of(run),
    )


class Dispatcher:
    """The workers of all open attempts."""

    def __init__(
        self, port_of: Callable[[AgentName], AgentPort | None], hear: Hear, rng: random.Random
    ) -> None:
        self._port_of = port_of
        self._hear = hear
        self._rng = rng
        self._workers: dict[RunId, _Worker] = {}
        self._fences: dict[RunId, _Worker] = {}

    def follow(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        """Make the workers match the state: one for every open attempt, none for others."""
        fresh = {r.event.run for r in recorded if isinstance(r.event, TaskPlaced)}
        open_runs = {run: a.name for a in state.agents.values() for run in a.runs}
        for run, agent in open_runs.items():
            if run not in self._workers:
                self._start(state, run, agent, fresh=run in fresh)
        for run in [r for r in self._workers if r not in open_runs]:
            self._workers.pop(run).end()
        for run in open_runs:
            found = find_attempt(state, run)
            worker = self._workers.get(run)
            if found is not None and found[1].cancel_cause is not None and worker is not None:
                worker.cancel()
        for record in recorded:
            match record.event:
                case AttemptGivenUp(run=run):
                    self._fence(state, run)
                case HealthChanged(agent=agent, health=health) if not health.is_lost:
                    self._nudge(agent)
                case AgentIdentified(agent=agent):
                    # A new process may resume what its predecessor ran: be there first.
                    self._nudge(agent)
                case _:
                    pass

    def resume(self, state: FleetState) -> None:
        """After a restart: go on watching runs that were given up and may still answer late."""
        for tasks in (state.open_tasks, state.closed_tasks):
            for task in tasks.values():
                for attempt in task.attempts:
                    if attempt.phase is AttemptPhase.GIVEN_UP and not attempt.late:
                        self._fence(state, attempt.run_id)

    async def close(self) -> None:
        """End all workers; the runs themselves go on at their agents."""
        workers = [*self._workers.values(), *self._fences.values()]
        self._workers.clear()
        self._fences.clear()
        for worker in workers:
            worker.end()
        await asyncio.gather(*(w.task for w in workers), return_exceptions=True)

    def _start(self, state: FleetState, run: RunId, agent: AgentName, *, fresh: bool) -> None:
        order, port = order_of(state, run), self._port_of(agent)
        if order is None or port is None:
            log.error("no way to reach %s for run %s", agent, run)
            return
        worker = _Worker(run, agent, port, order, self._hear, self._rng)
        worker.task = asyncio.create_task(worker.drive(fresh=fresh), name=f"run {run}")
        self._workers[run] = worker

    def _fence(self, state: FleetState, run: RunId) -> None:
        found, order = find_attempt(state, run), order_of(state, run)
        if found is None or order is None or run in self._fences:
            return
        agent = found[1].agent
        port = self._port_of(agent)
        if port is None:
            return
        worker = _Worker(run, agent, port, order, self._hear, self._rng)
        worker.task = asyncio.create_task(worker.fence(), name=f"fence {run}")
        self._fences[run] = worker
        worker.task.add_done_callback(lambda _: self._fences.pop(run, None))

    def _nudge(self, agent: AgentName) -> None:
        for worker in (*self._workers.values(), *self._fences.values()):
            if worker.agent == agent:
                worker.nudge.set()


class _Worker:
    """The conversation with one agent about one run."""

    task: asyncio.Task[None]

    def __init__(
        self,
        run: RunId,
        agent: AgentName,
        port: AgentPort,
        order: RunOrder,
        hear: Hear,
        rng: random.Random,
    ) -> None:
        self.run = run
        self.agent = agent
        self.cancel_wanted = asyncio.Event()
        self.nudge = asyncio.Event()
        self._port = port
        self._order = order
        self._hear = hear
        self._rng = rng
        self._failures = 0

    def cancel(self) -> None:
        """Ask for the run to be stopped, at once if the worker is waiting."""
        if not self.cancel_wanted.is_set():
            self.cancel_wanted.set()
            self.nudge.set()

    def end(self) -> None:
        """Stop talking; says nothing about the run."""
        self.task.cancel()

    async def drive(self, *, fresh: bool) -> None:
        """From placement to the end of the run, through any number of lost connections."""
        running = False
        if fresh:
            word = await self._asked(self._port.start(self._order), START_DEADLINE_S)
            await self._hear(self.run, word)
            if is_final(word):
                return
            running = isinstance(word, Definite)
        while True:
            if self.cancel_wanted.is_set():
                word = await self._asked(self._port.cancel(self._order), ASK_DEADLINE_S)
            elif running:
                followed = await self._follow()
                if followed is None:
                    continue
                word = followed
            else:
                word = await self._asked(self._port.inspect(self._order), ASK_DEADLINE_S)
            await self._hear(self.run, word)
            if is_final(word):
                return
            running = isinstance(word, Definite)
            if running and not self.cancel_wanted.is_set():
                self._failures = 0
            else:
                await self._back_off()

    async def fence(self) -> None:
        """Make sure that a run which was given up cannot start (again), and hear it if it ended."""
        for _ in range(FENCE_TRIES):
            word = await self._asked(self._port.fence(self._order), ASK_DEADLINE_S)
            if is_final(word):
                await self._hear(self.run, word)
                return
            await self._back_off()
        log.warning("run %s was never heard of again", self.run)

    async def _follow(self) -> Word | None:
        """Wait for the end of the run, or return None when it is to be cancelled."""
        following = asyncio.ensure_future(self._guarded(self._port.follow(self._order)))
        cancelling = asyncio.ensure_future(self.cancel_wanted.wait())
        try:
            await asyncio.wait({following, cancelling}, return_when=asyncio.FIRST_COMPLETED)
            return following.result() if following.done() else None
        finally:
            for waiter in (following, cancelling):
                waiter.cancel()
                with suppress(asyncio.CancelledError):
                    await waiter

    async def _asked(self, question: Awaitable[Word], deadline_s: float) -> Word:
        try:
            async with asyncio.timeout(deadline_s):
                return await self._guarded(question)
        except TimeoutError:
            return Unknown(LostReason.TIMEOUT, Untrusted(f"no answer within {deadline_s:.0f} s"))

    async def _guarded(self, question: Awaitable[Word]) -> Word:
        try:
            return await question
        except Exception as error:  # a bug in a port must not decide about a run
            log.exception("asking %s about %s failed", self.agent, self.run)
            return Unknown(LostReason.BAD_ANSWER, Untrusted(f"{type(error).__name__}: {error}"))

    async def _back_off(self) -> None:
        """Wait with full jitter; a returning agent or a cancel ends the wait."""
        ceiling = min(BACKOFF_BASE_S * 2 ** min(self._failures, 16), BACKOFF_CAP_S)
        self._failures += 1
        self.nudge.clear()
        wait_s = ceiling * self._rng.random()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(wait_s, 0.05)):
                await self.nudge.wait()


def is_final(word: Word) -> bool:
    """Whether a word ends the conversation about a run."""
    return isinstance(word, Definite) and isinstance(
        word.value, Finished | Died | Stopped | NotStarted
    )
