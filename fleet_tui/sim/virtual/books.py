"""An independent record of the ledger: what waits, what runs where, what was reported.

Kept from the events alone, for :mod:`fleet_tui.sim.virtual.rules`, and compared at the end of a
world with what folding gave (:mod:`fleet_tui.sim.virtual.kept`). An event is entered after it was
judged.
"""

from collections import deque
from typing import assert_never

import msgspec

from fleet_tui.core.agents.events import (
    AboutAgent,
    AgentCordoned,
    AgentEvent,
    AgentIdentified,
    AgentTripped,
    AgentTrusted,
    AgentUncordoned,
    CanaryEnded,
    CanaryStarted,
    FailoverBraked,
    FailoverResumed,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.alerting.events import AboutAlert
from fleet_tui.core.engine.events import (
    EngineModeChanged,
    EngineStarted,
    EngineStopped,
    EngineTroubled,
    EngineUnitFailed,
    FleetFileJudged,
    FleetLoaded,
    MachinesFound,
)
from fleet_tui.core.fleet import EMPTY_FLEET, FleetSpec, Prices, TaskClass
from fleet_tui.core.ids import AgentName, PoolName, RunId, TaskId, split_run_id
from fleet_tui.core.ledger.events import Recorded, SegmentOpened, UnknownEvent
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.core.tasks.commands import Verdict
from fleet_tui.core.tasks.events import (
    AboutAttempt,
    AboutTask,
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
    TaskBlamed,
    TaskCancelRequested,
    TaskDropped,
    TaskEdited,
    TaskEnded,
    TaskEvent,
    TaskExpedited,
    TaskHeld,
    TaskNeedsOperator,
    TaskPending,
    TaskPlaced,
    TaskReleased,
    TaskReprioritized,
    TaskResolved,
    TaskRetrying,
    TaskSubmitted,
)
from fleet_tui.core.tasks.evidence import Answer, LateWord, Usage
from fleet_tui.core.tasks.model import CancelCause, TaskPhase, TaskSpec

TAKES_WORK = frozenset({Health.UP, Health.DEGRADED})  # not the engine's own word for it
LOST = frozenset({Health.UNREACHABLE, Health.DOWN})  # nor here
MINUTE_S = 60
STARTS_KEPT = 4_096
"""Placements remembered for the budget of retries; no world makes as many in a minute."""


class Try(msgspec.Struct, kw_only=True):
    """One attempt."""

    id: RunId
    agent: AgentName
    placed_ms: int
    is_open: bool = True
    started_ms: int | None = None
    lost_ms: int | None = None
    """Since when it is unknown; None otherwise."""
    is_lost: bool = False
    """Whether the last report was unknown."""
    cause: CancelCause | None = None
    ok: bool | None = None
    """Of one that finished."""
    failure: str = ""
    never_started: bool = False
    died: bool = False
    stopped: bool = False
    given_up: bool = False
    judged: bool = False
    says: LateWord | None = None
    late: bool = False
    marked: bool = False
    """It left a checkpoint."""
    answer: Answer = Answer()
    usage: Usage = Usage()
    cost_microusd: int = 0

    @property
    def is_over(self) -> bool:
        """Whether its agent reported its end, even if late."""
        return self.late or (self.says is not None and self.says.is_final)


class Work(msgspec.Struct, kw_only=True):
    """One task."""

    id: TaskId
    number: int
    spec: TaskSpec
    asked_ms: int
    """The start of its deadlines."""
    phase: TaskPhase = TaskPhase.WAITING
    tries: list[Try] = []
    cancelled: bool = False
    """It was cancelled, and not requeued since."""
    held: bool = False
    expedited: bool = False
    not_before_ms: int = 0
    dropped: bool = False
    blamed: bool = False
    """Agents agree that its newest run failed for a reason of its own."""
    verdict: str = ""
    """A verdict that must have a consequence at once."""

    @property
    def is_open(self) -> bool:
        """Whether something may still happen to it by itself."""
        return not self.phase.is_closed

    @property
    def waits(self) -> bool:
        """Whether it may be placed."""
        return self.phase is TaskPhase.WAITING

    @property
    def asks(self) -> bool:
        """Whether it needs an operator's verdict."""
        return self.phase is TaskPhase.NEEDS_OPERATOR

    @property
    def since_asked(self) -> list[Try]:
        """The tries since it was last requested."""
        return [one for one in self.tries if one.placed_ms >= self.asked_ms]

    @property
    def is_retry(self) -> bool:
        """Whether the next try is not the first of what was asked for."""
        return bool(self.tries) and self.tries[-1].placed_ms >= self.asked_ms

    @property
    def started(self) -> list[Try]:
        """The tries since then that may have done something."""
        return [one for one in self.since_asked if not one.never_started]

    @property
    def began(self) -> bool:
        """Whether one of them is known to have started."""
        return any(one.started_ms is not None for one in self.since_asked)

    @property
    def unstarted(self) -> int:
        """How many of the newest tries in a row did not start."""
        count = 0
        for one in reversed(self.tries):
            before = count > 0 and (one.placed_ms < self.asked_ms or one.judged)
            if before or not one.never_started:
                break
            count += 1
        return count

    @property
    def is_in_doubt(self) -> bool:
        """Whether it ended while the outcome of its last run was unknown, and its class forbids
        another one then."""
        if self.is_open or self.phase is TaskPhase.SUCCEEDED or not self.tries:
            return False
        last = self.tries[-1]
        if last.judged:
            return False
        if last.given_up and not last.is_over:
            return self.spec.task_class is not TaskClass.IDEMPOTENT
        return (last.died or last.says is LateWord.DIED) and not self.may_run_again

    @property
    def may_go_on(self) -> bool:
        """Whether its next run is to continue from a checkpoint."""
        marked = any(one.marked for one in self.tries)
        return marked and self.spec.task_class is TaskClass.RESUMABLE

    @property
    def may_run_again(self) -> bool:
        """Whether its class allows another run after one that certainly ended."""
        return self.may_go_on or self.spec.task_class is TaskClass.IDEMPOTENT


class Member(msgspec.Struct, kw_only=True):
    """One agent."""

    health: Health = Health.JOINING
    failure: FailureKind | None = None
    cordoned: bool = False
    was_up: bool = False
    """It took work once, since it joined."""
    since_ms: int = 0
    """When its health changed last."""
    trial_ms: int | None = None
    """Out of routing for what it refused or failed; from then on one task is let through."""
    trial: str = ""
    """The run that is on trial."""
    canary: str = ""
    """The canary run that is under way."""
    trusted_ms: int | None = None
    """Since when nothing but a canary run speaks for it."""
    relapsed: bool = False
    """It failed again right after a canary run went well."""
    is_harmful: bool = False
    """It is out for runs that failed, not for those alone that it refused."""
    boot_id: str | None = None
    limits: tuple[Limit, ...] = ()
    """What its release cannot do."""
    prices: Prices = Prices()
    """As the fleet file said while it named the agent."""
    tokens: int = 0
    cost_microusd: int = 0


class Book:
    """Everything that was entered so far."""

    def __init__(self) -> None:
        self.at_ms = 0
        self.fleet: FleetSpec = EMPTY_FLEET
        self.mode = EngineMode.NORMAL
        self.engine_ms = 0
        """When the newest engine began."""
        self.works: dict[TaskId, Work] = {}
        self.agents: dict[AgentName, Member] = {}
        self.braked: set[PoolName] = set()
        self.thawed_ms: dict[PoolName, int] = {}
        """When a pool's brake was taken off last."""
        self.turns: dict[PoolName, AgentName] = {}
        """Who got the last task of each pool."""
        self.starts: deque[tuple[int, bool]] = deque(maxlen=STARTS_KEPT)
        """Placements: their second, and whether it was a retry."""
        self.ends: dict[TaskPhase, int] = {}
        """How often tasks ended in each way."""
        self.tokens = 0
        self.cost_microusd = 0

    def work_of(self, run: RunId) -> tuple[Work, Try]:
        """The task and the try that a run id names."""
        task, number = split_run_id(run)
        work = self.works[task]
        return work, work.tries[number - 1]

    def retries_left(self, at_ms: int) -> int:
        """How many retries the fleet may begin now."""
        since = at_ms // 1_000 - MINUTE_S
        lately = [is_retry for second, is_retry in self.starts if second > since]
        budget = self.fleet.retry_budget
        share = max(budget.floor, lately.count(False) * budget.percent // 100)
        return share - lately.count(True)

    def may_start_late(self, one: Try) -> bool:
        """Whether it was never reported, and its start may still arrive."""
        agent = self.agents.get(one.agent)
        return one.started_ms is None and agent is not None and Limit.NO_FENCE in agent.limits

    def busy(self, agent: AgentName) -> int:
        """How many slots of an agent are in use."""
        return sum(
            bool(work.tries) and work.tries[-1].is_open and work.tries[-1].agent == agent
            for work in self.works.values()
        )

    def enter(self, row: Recorded) -> None:
        """Write an event down."""
        self.at_ms = row.at_ms
        match row.event:
            case AboutTask() as event:
                self._task(event, row.at_ms)
            case AboutAttempt() as event:
                self._run(event, row.at_ms)
            case FleetLoaded(spec=spec):
                self.fleet = spec
                self._follow_fleet()
            case EngineStarted():
                self.engine_ms = row.at_ms
                if self.mode is not EngineMode.FROZEN:
                    self.mode = EngineMode.NORMAL
            case EngineModeChanged(mode=mode):
                self.mode = mode
            case AboutAgent() as event:
                self._agent(event, row.at_ms)
            case FailoverBraked(pool=pool):
                self.braked.add(pool)
            case FailoverResumed(pool=pool):
                self.braked.discard(pool)
                self.thawed_ms[pool] = row.at_ms
            case EngineStopped() | EngineUnitFailed() | EngineTroubled() | FleetFileJudged():
                pass  # the rules ask nothing that these change
            case MachinesFound() | AboutAlert() | NoteAdded() | SegmentOpened() | UnknownEvent():
                pass
            case _:
                assert_never(row.event)

    def _agent(self, event: AgentEvent, at_ms: int) -> None:
        agent = self.agents.get(event.agent)
        if isinstance(event, CanaryEnded):
            self._spent(agent, event.usage, event.cost_microusd)
        if agent is None:
            return
        match event:
            case HealthChanged(health=health, failure=failure):
                agent.health, agent.failure, agent.since_ms = health, failure, at_ms
                agent.was_up = agent.was_up or health in TAKES_WORK
            case AgentCordoned() | AgentUncordoned():
                agent.cordoned = isinstance(event, AgentCordoned)
            case AgentTripped(until_ms=until_ms, harmless=harmless, relapsed=relapsed):
                agent.trial_ms, agent.is_harmful, agent.relapsed = until_ms, not harmless, relapsed
            case CanaryStarted(run=run):
                agent.canary = run
            case CanaryEnded():
                agent.canary = ""
            case AgentIdentified(boot_id=boot_id, limits=limits):
                agent.limits = limits
                if agent.trial_ms is not None and agent.boot_id not in (None, boot_id):
                    agent.trial_ms = min(agent.trial_ms, at_ms)  # another process
                agent.boot_id = boot_id
            case AgentTrusted(by_canary=by_canary):
                agent.trial_ms, agent.trial = None, ""
                agent.trusted_ms = at_ms if by_canary else None
            case _:
                assert_never(event)

    def _spent(self, agent: Member | None, usage: Usage, cost_microusd: int) -> None:
        for purse in (self, agent):
            if purse is not None:
                purse.tokens += usage.total_tokens
                purse.cost_microusd += cost_microusd

    def _follow_fleet(self) -> None:
        """An agent that left the fleet file is forgotten once it has no open runs."""
        for name in list(self.agents):
            if name in self.fleet.agents:
                if self.agents[name].health is Health.RETIRED:
                    self.agents[name].health = Health.JOINING
            elif self.busy(name) or self.agents[name].canary:
                self.agents[name].health = Health.RETIRED
            else:
                del self.agents[name]
        for name, spec in self.fleet.agents.items():
            self.agents.setdefault(name, Member()).prices = spec.prices

    def _task(self, event: TaskEvent, at_ms: int) -> None:
        if isinstance(event, TaskSubmitted):
            self.works[event.task] = Work(
                id=event.task, number=event.number, spec=event.spec, asked_ms=at_ms
            )
            return
        work = self.works[event.task]
        match event:
            case TaskPlaced(run=run, agent=agent):
                self.starts.append((at_ms // 1_000, work.is_retry))
                if agent in self.fleet.agents:
                    self.turns[self.fleet.agents[agent].pool] = agent
                work.phase, work.blamed = TaskPhase.ACTIVE, False
                work.tries.append(Try(id=run, agent=agent, placed_ms=at_ms))
                if agent in self.agents and self.agents[agent].trial_ms is not None:
                    self.agents[agent].trial = run
            case TaskRetrying(not_before_ms=not_before_ms):
                if not work.is_open:
                    work.asked_ms = max(at_ms, not_before_ms)
                work.phase, work.cancelled, work.dropped = TaskPhase.WAITING, False, False
                work.not_before_ms = not_before_ms
            case TaskEnded(phase=phase):
                work.phase = phase
                self.ends[phase] = self.ends.get(phase, 0) + 1
            case TaskNeedsOperator():
                work.phase = TaskPhase.NEEDS_OPERATOR
            case TaskResolved(verdict=verdict):
                work.verdict = verdict
                if work.tries:
                    work.tries[-1].judged = True
                if verdict != Verdict.RAN:
                    work.asked_ms = at_ms
                work.cancelled = work.cancelled and verdict == Verdict.RAN
            case TaskCancelRequested():
                work.cancelled = True
            case TaskHeld() | TaskReleased():
                work.held = isinstance(event, TaskHeld)
            case TaskExpedited():
                work.expedited = True
            case TaskReprioritized(priority=priority):
                work.spec = msgspec.structs.replace(work.spec, priority=priority)
            case TaskEdited(spec=spec):
                work.spec = spec
            case TaskBlamed():
                work.blamed = True
            case TaskDropped():
                work.dropped = True
            case TaskPending():
                pass
            case _:
                assert_never(event)

    def _run(self, event: AttemptEvent, at_ms: int) -> None:
        _, one = self.work_of(event.run)
        match event:
            case AttemptStarted() | AttemptSeen():
                one.started_ms = at_ms if one.started_ms is None else one.started_ms
                one.lost_ms, one.is_lost = None, False
            case AttemptUnknown():
                one.lost_ms = at_ms if one.lost_ms is None else one.lost_ms
                one.is_lost = True
            case AttemptCancelling(cause=cause):
                one.cause, one.is_lost = cause, False
            case AttemptCheckpointed():
                one.marked = True
            case AttemptNotStarted():
                one.is_open, one.never_started = False, True
            case AttemptDied():
                one.is_open, one.died = False, True
            case AttemptGivenUp():
                one.is_open, one.given_up = False, True
            case AttemptStopped():
                one.is_open, one.stopped = False, True
                self._pay(one, event.usage, event.cost_microusd)
            case AttemptFinished(ok=ok, failure=failure):
                one.is_open, one.ok, one.failure = False, ok, failure
                one.answer = event.answer
                self._pay(one, event.usage, event.cost_microusd)
            case AttemptLate():
                one.late, one.answer = True, event.answer
                self._pay(one, event.usage, event.cost_microusd)
            case AttemptTold(says=says):
                one.says = says
                self._pay(one, event.usage, event.cost_microusd)
            case AttemptCancelRefused() | AttemptTroubled() | AttemptSuspended():
                pass
            case _:
                assert_never(event)

    def _pay(self, one: Try, usage: Usage, cost_microusd: int) -> None:
        one.usage, one.cost_microusd = usage, cost_microusd
        self._spent(self.agents.get(one.agent), usage, cost_microusd)
