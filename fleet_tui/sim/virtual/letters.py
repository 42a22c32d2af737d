"""The operator who looks after dead letters: edits some, drops some, requeues the rest slowly."""

import asyncio
import random

from msgspec.structs import replace

from fleet_tui.core.ids import TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Drop
from fleet_tui.core.tasks.commands import Edit as EditCommand
from fleet_tui.core.tasks.commands import Requeue as RequeueCommand
from fleet_tui.core.tasks.dead_letters import group
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.virtual.people import People
from fleet_tui.sim.virtual.scenario import Job, LetterCare
from fleet_tui.sim.virtual.truth import EditAsked, RequeueAsked, sha256
from fleet_tui.sim.virtual.world import World

TRIES = 40
"""How often an operator asks again before somebody else has to."""


class LetterOperator:
    """Goes through all dead letters in rounds."""

    def __init__(self, world: World, people: People, care: LetterCare, rng: random.Random) -> None:
        self._world = world
        self._people = people
        self._care = care
        self._rng = rng
        self._rounds = 0

    async def work(self) -> None:
        """The rounds that come while the trouble lasts."""
        for at_s in self._care.rounds_s:
            await asyncio.sleep(max(0.0, at_s - self._world.loop.time()))
            await self.go_round()

    async def go_round(self) -> None:
        """Look at every group once: edit, drop, and requeue what is left."""
        state = self._state()
        if state is None:
            return
        care, rng = self._care, self._rng
        self._rounds += 1
        groups = group(state.dead_letters.values(), state.fleet)
        for letters in groups:
            for task_id in letters.tasks:
                task = state.dead_letters[task_id]
                if rng.random() < care.edits:
                    await self._edit(task)
                    if rng.random() < 0.3:
                        await self._submit_again(task)
        dead = [task for letters in groups for task in letters.tasks]
        dropped = [task for task in dead if rng.random() < care.drops]
        if dropped:
            await self._drop(tuple(dropped))
        again = [t.id for t in state.closed_tasks.values() if t.dropped_by and rng.random() < 0.2]
        left = [task for task in (*dead, *again) if task not in dropped]
        if left:
            await self._requeue(tuple(left))

    async def _edit(self, task: Task) -> None:
        """Another text for a dead letter, and no place asked for any more."""
        text = f"edited {task.key} {self._rng.getrandbits(48):x}\n" + "y" * self._rng.choice(_SIZES)
        spec = replace(task.spec, payload=Untrusted(text), agent=None, pool=None)
        sent_s = self._world.loop.time()
        edit = EditAsked(task=task.id, sent_s=sent_s, payload_sha256=sha256(text.encode()))
        self._world.truth.edits.append(edit)
        in_doubt = False
        for _ in range(TRIES):
            reply = await self._ask(EditCommand(task=task.id, spec=spec))
            if isinstance(reply, Accepted) or (
                reply is not None and reply.code is RefusalCode.UNCHANGED and in_doubt
            ):
                edit.acked_s = self._world.loop.time()
                self._world.note(f"edit of {task.id} is acknowledged")
                return
            if reply is not None and self._is_decided(reply):
                edit.refused = "" if in_doubt else reply.code
                return
            in_doubt = in_doubt or reply is None or reply.code is RefusalCode.IN_DOUBT
            await self._pause()

    async def _drop(self, tasks: tuple[TaskId, ...]) -> None:
        for _ in range(TRIES):
            reply = await self._ask(Drop(tasks=tasks, reason="not needed"))
            if isinstance(reply, Accepted) or self._is_decided(reply):
                return
            await self._pause()

    async def _requeue(self, tasks: tuple[TaskId, ...]) -> None:
        """All of them, spread out. Each try is told apart in the ledger by its reason."""
        world = self._world
        for number in range(1, TRIES + 1):
            reason = f"round {self._rounds} try {number}"
            ask = RequeueAsked(
                reason=reason,
                tasks=tasks,
                per_minute=self._care.per_minute,
                sent_s=world.loop.time(),
            )
            world.truth.requeues.append(ask)
            reply = await self._ask(
                RequeueCommand(tasks=tasks, per_minute=self._care.per_minute, reason=reason)
            )
            if isinstance(reply, Accepted):
                ask.changed, ask.acked_seq = reply.changed or 0, reply.seq
                world.note(f"requeue of {len(tasks)} is acknowledged: {reply.changed}")
                return
            if reply is not None and reply.code is not RefusalCode.IN_DOUBT:
                ask.refused = reply.code
            if self._is_decided(reply):
                return
            await self._pause()

    async def _submit_again(self, task: Task) -> None:
        """A client that never heard its answer sends the order as it was. The key still stands for
        it, whatever an operator made of the task meanwhile."""
        job = self._job(task.key)
        if job is not None:
            await self._people.submit_once(job)

    def _job(self, key: str) -> Job | None:
        return next((job for job in self._world.scenario.jobs if job.key == key), None)

    def _state(self) -> FleetState | None:
        return self._world.newest.state if self._world.newest is not None else None

    def _is_decided(self, reply: Reply | None) -> bool:
        """Whether asking again would not help."""
        return isinstance(reply, Refused) and reply.code not in self._people.not_decided

    async def _ask(self, command: Command) -> Reply | None:
        """One try; sometimes the engine is killed while it answers."""
        world = self._world
        if not world.healed and self._rng.random() < self._care.kills:
            world.loop.later(self._rng.uniform(0.0, 0.08), self._kill)
        return await self._people.ask("operator", command)

    def _kill(self) -> None:
        if not self._world.healed:
            self._world.note("fault: kill-engine at its desk")
            self._world.kill_engine()

    async def _pause(self) -> None:
        await asyncio.sleep(self._rng.uniform(0.3, 3.0))


_SIZES = (0, 12, 2_000)
