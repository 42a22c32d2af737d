"""Operators at the wrong moment: between a placement and its start, while a run is unknown, just
before and after an engine dies, twice, and about tasks that ended already.

They act on what was just committed, so what they ask for meets whatever the engine is at.
"""

import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, assert_never

from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.engine.commands import Freeze, Thaw
from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineStarted,
)
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import AgentName, RunId, TaskId, split_run_id
from fleet_tui.core.ledger import events as e
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.tasks.commands import (
    Cancel,
    Expedite,
    Hold,
    Release,
    Resolve,
    SetPriority,
    Verdict,
)
from fleet_tui.core.tasks.commands import Requeue as RequeueCommand
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptGivenUp,
    AttemptUnknown,
    TaskEnded,
    TaskNeedsOperator,
    TaskPlaced,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.tasks.model import CancelCause
from fleet_tui.sim.virtual.checks import Checks
from fleet_tui.sim.virtual.people import People
from fleet_tui.sim.virtual.scenario import Meddling
from fleet_tui.sim.virtual.truth import RequeueAsked
from fleet_tui.sim.virtual.world import World

TRIES = 5
"""How often an operator asks again before it does not matter any more."""
MOMENTS_S = (0.0, 0.0, 0.02, 0.1, 0.5, 3.0)
"""How long after what they see operators act; a start takes about 0.1."""

STALE = 0.5
"""How often somebody judges what is on a screen that was not looked at again."""

OFTEN = 0.5
"""How often they act where little else leads to what may go wrong then."""

Act = Callable[[], Coroutine[Any, Any, None]]

Moment = (
    TaskPlaced
    | AttemptUnknown
    | AttemptGivenUp
    | AttemptCancelling
    | TaskSubmitted
    | TaskRetrying
    | TaskEnded
    | TaskNeedsOperator
    | HealthChanged
    | EngineStarted
    | EngineModeChanged
)
"""What people meddle after."""


class Meddler:
    """Everybody who interferes."""

    def __init__(
        self, world: World, people: People, checks: Checks, how: Meddling, rng: random.Random
    ) -> None:
        self._world = world
        self._people = people
        self._checks = checks
        self._how = how
        self._rng = rng
        self._left = how.most
        self._asked = 0

    def notice(self, rows: Sequence[e.Recorded]) -> None:
        """These were committed just now."""
        how = self._how
        for row in rows:
            if not isinstance(row.event, Moment):
                continue
            match row.event:
                case TaskPlaced(task=task, run=run, agent=agent):
                    self._perhaps(how.placed, partial(self._placed, task, run, agent))
                case AttemptUnknown(run=run):
                    self._perhaps(how.unknown, partial(self._unknown, run))
                case AttemptGivenUp(run=run):
                    self._perhaps(max(how.unknown, OFTEN), partial(self._given_up, run))
                case AttemptCancelling(run=run, cause=cause):
                    if cause is not CancelCause.OPERATOR:
                        self._perhaps(max(how.unknown, OFTEN), partial(self._stopping, run))
                case TaskSubmitted(task=task) | TaskRetrying(task=task):
                    self._perhaps(how.waiting, partial(self._waiting, task))
                case TaskEnded(task=task) | TaskNeedsOperator(task=task):
                    self._perhaps(how.ended, partial(self._ended, task))
                case HealthChanged(agent=agent, health=health):
                    if health.is_lost:
                        self._perhaps(how.placed, partial(self._cordon, agent))
                case EngineStarted():
                    self._perhaps(how.started, self._freeze)
                case EngineModeChanged(mode=mode):
                    if mode is EngineMode.FROZEN:
                        self._perhaps(how.kills, self._kill)
                case _:
                    assert_never(row.event)

    def _perhaps(self, chance: float, act: Act) -> None:
        world = self._world
        if self._left and not world.healed and self._rng.random() < chance:
            self._left -= 1
            world.loop.later(self._rng.choice(MOMENTS_S), self._begin, act)

    def _begin(self, act: Act) -> None:
        if not self._world.healed:
            self._world.loop.create_task(act(), context=self._world.loop.outside.copy())

    # What they do

    async def _placed(self, task: TaskId, run: RunId, agent: AgentName) -> None:
        dice = self._rng.random()
        if dice < 0.4:
            await self._cancel(task)
        elif dice < 0.55:
            await self._cordon(agent)
        elif dice < 0.65:
            await self._freeze()
        elif dice < 0.75:
            await self._kill()
        elif dice < 0.85:
            await self._judge(task, run)
        elif dice < 0.9:
            await self._requeue(task)
        else:
            await self._move(task)

    async def _unknown(self, run: RunId) -> None:
        task, _ = split_run_id(run)
        dice = self._rng.random()
        if dice < 0.5:
            await self._judge(task, run)
        elif dice < 0.7:
            await self._cancel(task)
        elif dice < 0.9:
            await self._cancel(task)
            await self._requeue(task)
        elif dice < 0.95:
            await self._kill()
        else:
            await self._move(task)

    async def _stopping(self, run: RunId) -> None:
        """It is being stopped for its deadline or its silence."""
        task, _ = split_run_id(run)
        await (self._cancel(task) if self._rng.random() < 0.8 else self._judge(task, run))

    async def _given_up(self, run: RunId) -> None:
        """Nobody waits for it any more. It may go on all the same, whatever becomes of its task."""
        task, _ = split_run_id(run)
        if self._rng.random() < 0.3:
            await self._judge(task, run)
            return
        await self._cancel(task)
        await self._requeue(task)

    async def _waiting(self, task: TaskId) -> None:
        dice = self._rng.random()
        if dice < 0.2:
            await self._cancel(task)
        elif dice < 0.4:
            await self._freeze()
        elif dice < 0.5:
            await self._judge(task, None)
        else:
            await self._move(task)

    async def _ended(self, task: TaskId) -> None:
        work = self._checks.rules.book.works.get(task)
        run = work.tries[-1].id if work is not None and work.tries else None
        dice = self._rng.random()
        if dice < 0.5:
            await self._requeue(task)
        elif dice < 0.7:
            await self._judge(task, run)
        elif dice < 0.85:
            await self._cancel(task)
        else:
            await self._move(task)

    # How they say it

    async def _cancel(self, task: TaskId) -> None:
        await self._say("cancel", task, Cancel(tasks=(task,)))

    async def _judge(self, task: TaskId, run: RunId | None) -> None:
        """A verdict, right or wrong, about a run that may not be the newest any more."""
        self._asked += 1
        work = self._checks.rules.book.works.get(task)
        if work is not None and len(work.tries) > 1 and self._rng.random() < STALE:
            run = work.tries[-2].id
        verdict = self._rng.choice(list(Verdict))
        reason = f"a glance, {self._asked}"
        command = Resolve(task=task, run=run, verdict=verdict, reason=reason)
        await self._say(f"verdict-{verdict}", task, command)

    async def _move(self, task: TaskId) -> None:
        choice = self._rng.randrange(5)
        if choice == 0:
            await self._say("release", task, Release(tasks=(task,)))
        elif choice == 1:
            await self._say("expedite", task, Expedite(tasks=(task,)))
        elif choice == 2:
            priority = self._rng.choice(list(Priority))
            await self._say("priority", task, SetPriority(tasks=(task,), priority=priority))
        else:
            await self._say("hold", task, Hold(tasks=(task,), reason="not now"))
            self._later(lambda: self._say("release", task, Release(tasks=(task,))))

    async def _cordon(self, agent: AgentName) -> None:
        await self._say("cordon", None, Cordon(agents=(agent,), reason="a look"))
        self._later(lambda: self._say("uncordon", None, Uncordon(agents=(agent,))))

    async def _freeze(self) -> None:
        await self._say("freeze", None, Freeze(reason="a look"))
        self._later(lambda: self._say("thaw", None, Thaw()))

    async def _kill(self) -> None:
        if not self._world.healed:
            self._world.note("fault: kill-engine at a wrong moment")
            self._world.kill_engine()

    async def _requeue(self, task: TaskId) -> None:
        """Each try is told apart in the ledger by its reason."""
        world = self._world
        for _ in range(1 + self._twice()):
            self._asked += 1
            reason = f"once more, {self._asked}"
            ask = RequeueAsked(
                reason=reason, tasks=(task,), per_minute=None, sent_s=world.loop.time()
            )
            world.truth.requeues.append(ask)
            self._perhaps_kill()
            reply = await self._people.ask("operator", RequeueCommand(tasks=(task,), reason=reason))
            if isinstance(reply, Accepted):
                ask.changed, ask.acked_seq = reply.changed or 0, reply.seq
            elif reply is not None and reply.code is not RefusalCode.IN_DOUBT:
                ask.refused = reply.code

    async def _say(self, verb: str, task: TaskId | None, command: Command) -> None:
        for _ in range(1 + self._twice()):
            self._perhaps_kill()
            await self._people.insist(verb, task, command, tries=TRIES)

    def _twice(self) -> bool:
        return self._rng.random() < self._how.twice

    def _perhaps_kill(self) -> None:
        """An engine dies just before or after it hears of this."""
        if not self._world.healed and self._rng.random() < self._how.kills:
            self._world.loop.later(self._rng.uniform(0.0, 0.08), self._begin, self._kill)

    def _later(self, act: Act) -> None:
        """Take something back, unless somebody else has to."""
        if self._rng.random() < 0.7:
            self._world.loop.later(self._rng.choice((0.5, 4.0, 15.0, 40.0)), self._begin, act)
