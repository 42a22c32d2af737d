"""One worker per open attempt or canary run: start it, track it, find it again, stop it.

Workers only send requests to an agent and bring reports back to the loop, which decides what a
report means. A run is started at most once, by the process that committed it; everything else, a
restart of the engine included, only inspects.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from math import inf

from fleet_tui.core.agents.canary import agent_of_canary, canary_order
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import RunReport, deadlines_of, find_attempt, is_unwanted
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    RunOrder,
    Stopped,
    Unknown,
)
from fleet_tui.core.tasks.heartbeat import ask_every_ms
from fleet_tui.core.tasks.retry import trace_id_of
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.engine.cancelling import was_cancelled
from fleet_tui.engine.intents import Due
from fleet_tui.wire.port import Runs
from fleet_tui.wire.words import words_of

log = logging.getLogger(__name__)

ASK_AGAIN = Backoff(base_ms=500, cap_ms=30_000)
START_DEADLINE_S = 60.0
"""A start may not take longer; without an answer by then the run is unknown."""
ASK_DEADLINE_S = 45.0
WATCH_TRIES = 200
"""Unanswered queries about a run that was given up, at least close to an hour. After that it is
queried only when its agent answers again."""
CHECKPOINT_EVERY_S = 30.0
"""How often the checkpoint of a resumable run is fetched, in case its host never comes back."""
CLOSE_DEADLINE_S = 10.0
"""How long workers get to disconnect when the engine stops."""

OnRunReport = Callable[[RunId, RunReport], Awaitable[None]]
PortOf = Callable[[AgentName], Runs | None]


def order_of(state: FleetState, run: RunId) -> RunOrder | None:
    """What an agent needs to start a run; None when the state has forgotten it."""
    tried = agent_of_canary(run)
    if tried is not None:
        canary = state.agents[tried].canary if tried in state.agents else None
        return canary_order(canary) if canary is not None and canary.run == run else None
    found = find_attempt(state, run)
    if found is None:
        return None
    task, attempt = found
    deadlines = deadlines_of(state, task)
    resumes = task.spec.task_class is TaskClass.RESUMABLE
    return RunOrder(
        run_id=run,
        task_id=task.id,
        attempt=attempt.number,
        payload=task.spec.payload,
        label=task.label,
        start_to_close_ms=deadlines.start_to_close_ms,
        heartbeat_ms=deadlines.heartbeat_ms,
        resumable=resumes,
        checkpoint=task.checkpoint if resumes else None,
        epoch=attempt.epoch,
        planned_at_ms=attempt.planned_at_ms,
        trace_id=trace_id_of(run),
    )


class Dispatcher:
    """The workers of all open attempts and canary runs."""

    def __init__(self, port_of: PortOf, on_run_report: OnRunReport, rng: random.Random) -> None:
        self._port_of = port_of
        self._on_run_report = on_run_report
        self._rng = rng
        self._workers: dict[RunId, _Worker] = {}
        self._watches: dict[RunId, _Worker] = {}
        """About runs that were given up."""
        self._ended: dict[RunId, _Worker] = {}
        """Workers that ended while the state is being followed."""

    def follow(self, state: FleetState, due: Due) -> None:
        """Carry out what the new state requires."""
        if due.runs:
            self._match(state, due)
        for tell in due.then:
            tell(self, state)
        self._ended.clear()

    def _match(self, state: FleetState, due: Due) -> None:
        """Make the workers match the state: one for every open attempt, none for others."""
        # Sorted: workers share the random source, and the order of a set differs in every process.
        open_runs = {run: a.name for a in state.agents.values() for run in sorted(a.runs)}
        for agent in state.agents.values():
            if agent.canary is not None:
                open_runs[agent.canary.run] = agent.name
        for run, on in open_runs.items():
            if run not in self._workers:
                self._start(state, run, on, fresh=run in due.placed)
        self._ended = {r: self._workers.pop(r) for r in list(self._workers) if r not in open_runs}
        for worker in self._ended.values():
            worker.end()
        for run in open_runs:
            found = find_attempt(state, run)
            if found is not None and found[1].cancel_cause is not None and run in self._workers:
                self._workers[run].cancel()

    def resume(self, state: FleetState) -> None:
        """After a restart: keep watching runs that were given up and may still report late."""
        for task in state.tasks():
            for attempt in task.attempts:
                if attempt.is_unheard:
                    self.watch(state, attempt.run_id)

    async def close(self) -> None:
        """End all workers; the runs themselves continue on their agents."""
        workers = [*self._workers.values(), *self._watches.values()]
        self._workers.clear()
        self._watches.clear()
        for worker in workers:
            worker.end()
        if workers:
            await asyncio.wait({w.task for w in workers}, timeout=CLOSE_DEADLINE_S)

    def uses(self, port: Runs) -> bool:
        """Whether any worker still uses that port."""
        return any(w.port is port for w in (*self._workers.values(), *self._watches.values()))

    def watch(self, state: FleetState, run: RunId) -> None:
        """See :meth:`Conversations.watch`. It is asked about where it was placed."""
        found, order = find_attempt(state, run), order_of(state, run)
        if found is None or order is None or run in self._watches:
            return
        worker = _Worker(run, found[1].agent, self._port_of, order, self._on_run_report, self._rng)
        if run in self._ended:
            worker.port = self._ended[run].port or worker.port
        worker.task = asyncio.create_task(worker.watch(), name=f"watch {run}")
        self._watches[run] = worker
        worker.task.add_done_callback(lambda _: self._watches.pop(run, None))
        self.stop_unwanted(state, found[0].id)

    def stop_unwanted(self, state: FleetState, task: TaskId) -> None:
        """See :meth:`Conversations.stop_unwanted`."""
        known = state.task(task)
        if known is None:
            return
        for attempt in known.attempts:
            if attempt.run_id in self._watches and is_unwanted(known, attempt):
                self._watches[attempt.run_id].cancel()

    def ask_again(self, agent: AgentName) -> None:
        """See :meth:`Conversations.ask_again`."""
        for worker in (*self._workers.values(), *self._watches.values()):
            if worker.agent == agent:
                worker.nudge.set()

    def _start(self, state: FleetState, run: RunId, agent: AgentName, *, fresh: bool) -> None:
        order = order_of(state, run)
        if order is None:
            log.error("the ledger does not hold what run %s is to do", run)
            return
        worker = _Worker(run, agent, self._port_of, order, self._on_run_report, self._rng)
        worker.task = asyncio.create_task(worker.drive(fresh=fresh), name=f"run {run}")
        self._workers[run] = worker


class _Worker:
    """Handles one run on one agent."""

    task: asyncio.Task[None]

    def __init__(
        self,
        run: RunId,
        agent: AgentName,
        port_of: PortOf,
        order: RunOrder,
        on_run_report: OnRunReport,
        rng: random.Random,
    ) -> None:
        self.run = run
        self.agent = agent
        self.port = port_of(agent)
        """The port to the place of the run. It stays the same when the fleet file moves the agent;
        None until the file defines (again) how to reach it."""
        self.cancel_wanted = asyncio.Event()
        self.nudge = asyncio.Event()
        self._port_of = port_of
        self._order = order
        self._on_run_report = on_run_report
        self._rng = rng
        self._failures = 0

    def cancel(self) -> None:
        """Request that the run is stopped, at once if the worker is waiting."""
        if not self.cancel_wanted.is_set():
            self.cancel_wanted.set()
            self.nudge.set()

    def end(self) -> None:
        """End the worker; implies nothing about the run."""
        self.task.cancel()

    async def drive(self, *, fresh: bool) -> None:
        """From placement to the end of the run, through any number of lost connections."""
        while True:
            try:
                return await self._drive(fresh=fresh)
            except Exception:  # a bug here must not leave the run without a worker
                log.exception("following run %s failed", self.run)
            fresh = False
            await self._back_off()

    async def _drive(self, *, fresh: bool) -> None:
        running = asked = False
        if fresh:
            report = await self._asked(
                lambda port: port.start(self._order, self._is_wanted), START_DEADLINE_S
            )
            await self._on_run_report(self.run, report)
            if is_final(report):
                return
            running = isinstance(report, Definite)
        while True:
            if self.cancel_wanted.is_set():
                report = await self._asked(lambda port: port.cancel(self._order), ASK_DEADLINE_S)
            elif running and not asked:
                followed = await self._follow()
                asked = followed is None  # it is to be cancelled, or a sign of life is due
                if followed is None:
                    continue
                report = followed
            else:
                report = await self._asked(lambda port: port.inspect(self._order), ASK_DEADLINE_S)
                asked = False
            await self._on_run_report(self.run, report)
            if is_final(report):
                return
            running = isinstance(report, Definite)
            if running and not self.cancel_wanted.is_set():
                self._failures = 0
            else:
                await self._back_off()

    async def watch(self) -> None:
        """Report the end of a run that was given up. Once it is unwanted, make sure that it cannot
        start (again)."""
        followed: RunReport | None = None
        while True:
            if self.cancel_wanted.is_set():
                report = await self._asked(lambda port: port.fence(self._order), ASK_DEADLINE_S)
            else:
                report = followed or await self._asked(
                    lambda port: port.inspect(self._order), ASK_DEADLINE_S
                )
            await self._on_run_report(self.run, report)
            if is_final(report):
                return
            followed = None
            if isinstance(report, Definite) and not self.cancel_wanted.is_set():
                self._failures = 0
                followed = await self._follow()
            elif self._failures < WATCH_TRIES:
                await self._back_off()
            else:
                log.warning("run %s is not heard of", self.run)
                self.nudge.clear()
                await self.nudge.wait()

    async def _follow(self) -> RunReport | None:
        """Wait for the end of the run. None when it is to be cancelled first, or when it is time
        to ask for a sign of life or a checkpoint."""
        heartbeat_ms = self._order.heartbeat_ms
        ask_after_s = CHECKPOINT_EVERY_S if self._order.resumable else None
        if heartbeat_ms is not None:
            ask_after_s = min(ask_every_ms(heartbeat_ms) / 1_000, ask_after_s or inf)
        assert self.port is not None, "it said that the run runs"
        following = asyncio.create_task(self._guarded(partial(self.port.follow, self._order)))
        cancelling = asyncio.create_task(self.cancel_wanted.wait())
        try:
            await asyncio.wait(
                {following, cancelling},
                timeout=ask_after_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            return following.result() if following.done() else None
        finally:
            following.cancel()
            cancelling.cancel()
            # Unlike awaiting them, this distinguishes their end from our own.
            await asyncio.wait({following, cancelling})

    def _is_wanted(self) -> bool:
        return not self.cancel_wanted.is_set()

    async def _asked(
        self, question: Callable[[Runs], Awaitable[RunReport]], deadline_s: float
    ) -> RunReport:
        self.port = self.port or self._port_of(self.agent)
        if self.port is None:
            absent = Untrusted("the fleet file does not say how to reach the agent")
            return Unknown(LostReason.UNREACHABLE, absent)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._guarded(partial(question, self.port))
        except TimeoutError:
            return Unknown(LostReason.TIMEOUT, words_of(f"no answer within {deadline_s:.0f} s"))

    async def _guarded(self, ask: Callable[[], Awaitable[RunReport]]) -> RunReport:
        try:
            return await ask()
        except asyncio.CancelledError:
            if was_cancelled():
                raise
            return Unknown(LostReason.CANCELLED, Untrusted("the question was broken off"))
        except Exception as error:  # a bug in a port must not decide about a run
            log.exception("asking %s about %s failed", self.agent, self.run)
            return Unknown(LostReason.BAD_ANSWER, words_of(f"{type(error).__name__}: {error}"))

    async def _back_off(self) -> None:
        """Wait with full jitter; a returning agent or a cancel ends the wait."""
        self._failures += 1
        self.nudge.clear()
        wait_ms = ASK_AGAIN.wait_ms(self._failures, self._rng.random())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(wait_ms, 50) / 1_000):
                await self.nudge.wait()


def is_final(report: RunReport) -> bool:
    """Whether no further report about the run is needed."""
    return isinstance(report, Definite) and isinstance(
        report.value, Finished | Died | Stopped | NotStarted
    )
