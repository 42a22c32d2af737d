"""Clients who submit and insist, and operators who cancel and judge."""

import asyncio
import random
from typing import assert_never

from fleet_tui.core.agents.commands import Uncordon
from fleet_tui.core.engine.commands import Thaw
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.tasks.commands import (
    Cancel,
    Expedite,
    Hold,
    Release,
    Resolve,
    SetPriority,
    Submit,
    Verdict,
)
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from fleet_tui.core.text.ulid import ENTROPY_BYTES, new_ulid
from fleet_tui.sim.virtual.scenario import Job
from fleet_tui.sim.virtual.truth import Call, sha256
from fleet_tui.sim.virtual.world import World

MANY_TRIES = 10_000
"""As good as for ever."""
FULL_TRIES = 10
"""How often a client comes back to a full queue."""

NOT_DECIDED = frozenset(code for code in RefusalCode if code.is_undecided)
"""Refusals after which a client asks again."""


class People:
    """Everybody who talks to the engine."""

    not_decided = NOT_DECIDED

    def __init__(self, world: World, rng: random.Random) -> None:
        self.waiting = len(world.scenario.jobs)
        """Clients who have not got what they came for."""
        self._world = world
        self._rng = rng
        self._judged = 0

    async def client(self, job: Job) -> None:
        """Get one job done."""
        await self._submit(job)
        self.waiting -= 1

    async def _submit(self, job: Job) -> None:
        """Submit until there is an answer, whatever happens to the engine and the line."""
        world, rng = self._world, self._rng
        await asyncio.sleep(job.at_s)
        payload = job.spec.payload.raw.encode()
        world.truth.sent[job.key] = sha256(payload)
        patience = FULL_TRIES
        while True:
            reply = await self.submit_once(job)
            if isinstance(reply, Accepted):
                if rng.random() < 0.1:
                    continue  # the answer was lost on the last inch
                task = reply.task
                assert task is not None
                break
            if reply is not None and reply.code.is_full:
                patience -= 1  # what is full may stay full for long
            if not patience or (
                reply is not None and not (reply.code in NOT_DECIDED or reply.code.is_full)
            ):
                return
            await asyncio.sleep(rng.uniform(0.5, 4.0))
        if job.cancel_after_s is not None:
            await asyncio.sleep(job.cancel_after_s)
            await self.insist("cancel", task, Cancel(tasks=(task,)))

    async def submit_once(self, job: Job) -> Reply | None:
        """One try, by a process of its own that knows nothing but the key."""
        world = self._world
        task = new_ulid(world.now_ms(), self._rng.randbytes(ENTROPY_BYTES))
        call = self._called("submit", job.key)
        reply = await self.ask(f"client-{job.key}", Submit(task=task, key=job.key, spec=job.spec))
        match reply:
            case Accepted(task=known):
                assert known is not None
                call.task, call.acked_s = known, world.loop.time()
                world.truth.tasks.setdefault(job.key, set()).add(known)
                world.note(f"{job.key} is acknowledged as {known}")
            case Refused(code=code) if code not in NOT_DECIDED:
                call.refused = code
                world.note(f"{job.key} is refused: {code}")
            case Refused() | None:
                pass  # nothing was decided: it is asked again
            case _:
                assert_never(reply)
        return reply

    async def insist(
        self, verb: str, task: TaskId | None, command: Command, *, tries: int = MANY_TRIES
    ) -> None:
        """Ask until there is an answer, or so often."""
        world = self._world
        call = self._called(verb, "", task or "")
        if isinstance(command, Resolve):
            call.run, call.reason = command.run, command.reason
        in_doubt = False
        for _ in range(tries):
            reply = await self.ask("operator", command)
            if isinstance(reply, Accepted):
                call.acked_s, call.acked_seq = world.loop.time(), reply.seq
                world.note(f"{verb} of {task or 'all'} is acknowledged")
                return
            if reply is not None and reply.code not in NOT_DECIDED:
                call.refused = "" if in_doubt else reply.code
                return
            in_doubt = in_doubt or reply is None or reply.code is RefusalCode.IN_DOUBT
            await asyncio.sleep(self._rng.uniform(0.5, 4.0))

    async def ask(self, by: str, command: Command) -> Reply | None:
        """One try at the newest engine; None when nobody knows what became of it."""
        await asyncio.sleep(self._rng.uniform(0.001, 0.02))
        engine = self._world.newest
        if engine is None or not engine.listens:
            return None
        return await engine.ask(by, command)

    async def operator(self) -> None:
        """Judge what needs a verdict, now and then, until it is calm."""
        world, rng = self._world, self._rng
        while world.loop.time() < world.scenario.safety_s:
            await asyncio.sleep(rng.uniform(5.0, 20.0))
            state = world.newest.state if world.newest is not None else None
            if state is None:
                continue
            for task in list(state.open_tasks.values()):
                attempt = task.open_attempt
                unknown = attempt is not None and attempt.phase is AttemptPhase.UNKNOWN
                if task.phase is TaskPhase.NEEDS_OPERATOR or (unknown and rng.random() < 0.1):
                    await self._judge(task)
                elif task.phase is TaskPhase.WAITING and rng.random() < 0.2:
                    await self.ask("operator", self._meddle(task))

    def _meddle(self, task: Task) -> Command:
        """Another place in the queue for a task."""
        choice = self._rng.randrange(4)
        if choice == 0:
            return Hold(tasks=(task.id,), reason="not now")
        if choice == 1:
            return Release(tasks=(task.id,))
        if choice == 2:
            return Expedite(tasks=(task.id,))
        return SetPriority(tasks=(task.id,), priority=self._rng.choice(list(Priority)))

    async def put_in_order(self) -> None:
        """Undo what operators did that keeps work waiting."""
        state = self._world.newest.state if self._world.newest is not None else None
        if state is None:
            return
        pending = [t.pending for t in state.open_tasks.values() if t.pending is not None]
        is_kept_safe = any(why.code is PendingCode.TRIAL for why in pending)
        kept_out = tuple(
            a.name
            for a in state.agents.values()
            if a.cordon is not None or (is_kept_safe and a.breaker is not None)
        )
        if kept_out:
            await self.ask("operator", Uncordon(agents=kept_out))
        if state.engine.mode.mode is EngineMode.FROZEN:
            await self.ask("operator", Thaw())
        held = tuple(t.id for t in state.open_tasks.values() if t.hold is not None)
        if held:
            await self.ask("operator", Release(tasks=held))

    async def _judge(self, task: Task) -> None:
        finished = any(e.status == 0 for e in self._world.truth.executions_of(task.id))
        verdict = Verdict.RAN if finished else self._rng.choice(_AGAIN)
        run = task.attempt.run_id if task.attempt is not None else None
        self._judged += 1
        reason = f"looked at the host, {self._judged}"
        command = Resolve(task=task.id, run=run, verdict=verdict, reason=reason)
        await self.insist(f"verdict-{verdict}", task.id, command)

    def _called(self, verb: str, key: str, task: str = "") -> Call:
        sent_seq = len(self._world.store.rows)
        now_s = self._world.loop.time()
        call = Call(sent_s=now_s, verb=verb, key=key, task=task, sent_seq=sent_seq)
        self._world.truth.calls.append(call)
        return call


_AGAIN = (Verdict.RUN_AGAIN, Verdict.DID_NOT_RUN)  # what these people say, of all there is
