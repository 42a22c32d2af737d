"""One round of routing: which waiting tasks go where now, and why the others wait.

Urgent first, then first come first served. A round is pure: the same state, results
of probes and instant give the same events, and offline replay recomputes every decision.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Self, assert_never

from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.vitals import ProbeResult
from fleet_tui.core.fleet import FleetSpec, RetryBudget, Strategy, TaskClass
from fleet_tui.core.ids import AgentName, PoolName, TaskId, run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.candidates import CandidateSet, PoolRanking
from fleet_tui.core.routing.decision import (
    MAX_NAMED_PER_RULE,
    MAX_SCORED,
    Candidate,
    Pending,
    PendingCode,
    Rejection,
    RoutingDecision,
    Rule,
)
from fleet_tui.core.routing.requirement import Requirement, Roster, requirement_of
from fleet_tui.core.routing.waiting import WaitQueue, WaitQueues
from fleet_tui.core.tasks.events import TaskPending, TaskPlaced
from fleet_tui.core.tasks.evidence import Blame
from fleet_tui.core.tasks.model import AttemptPhase, Task
from fleet_tui.core.tasks.quoting import reason_of
from fleet_tui.core.tasks.retry_budget import retry_allowance

MAX_PLACED_PER_ROUND = 256
"""So that one round never holds up the engine; the next round continues."""

AVOID_MS = 30_000
"""How long a task waits for another agent than those that failed it by their own fault."""

MAX_ASIDE = 64
"""Tasks that wait for that reason and let others of their queue go first, in one round."""

ProbeResults = Mapping[AgentName, ProbeResult]


class Router:
    """Routes for one fleet file; recreated when the file changes.

    Its state follows from the file and the tasks it was given, so a new one gives the same result.
    A round changes its queues; a caller that must keep this router as it is schedules with its
    :meth:`successor`.
    """

    def __init__(self, fleet: FleetSpec) -> None:
        self.fleet = fleet
        self._roster = Roster(fleet)
        self._order: dict[PoolName, dict[AgentName, int]] = {}
        for spec in fleet.agents.values():
            places = self._order.setdefault(spec.pool, {})
            places[spec.name] = len(places)
        self._waiting: WaitQueues | None = None

    def successor(self) -> Self:
        """A router that goes on where this one is. It takes the queues with it: when this one is
        asked again, it makes them anew from the tasks in the state, and says the same."""
        other = copy(self)
        self._waiting = None
        return other

    def schedule(
        self,
        state: FleetState,
        probes: ProbeResults,
        now_ms: int,
        changed: Iterable[TaskId] | None = None,
    ) -> list[Event]:
        """The events of one round: placements, and pending reasons that changed.

        ``changed`` names the tasks that may have changed since this router's last round; None
        makes it look at all of them. The events are the same.
        """
        waiting = self._wait_queues(state, changed, now_ms)
        round_ = Round(state, probes, now_ms)
        retries_left = retry_allowance(state, now_ms)
        events: list[Event] = []
        heads = [(*head, queue) for queue in waiting.queues() if (head := queue.head()) is not None]
        heapq.heapify(heads)
        aside: list[tuple[WaitQueue, Task]] = []
        while heads and len(round_.placed) < MAX_PLACED_PER_ROUND:
            _, task_id, queue = heapq.heappop(heads)
            task = state.open_tasks[task_id]
            if queue.retries and retries_left <= 0:
                blocked = over_budget(self.fleet.retry_budget, now_ms)
            else:
                decision = self.decide(task, queue.wanted, round_)
                if decision.chosen is not None:
                    round_.hold(decision)
                    retries_left -= queue.retries
                    events.append(_placed(task, decision))
                    queue.remove(task_id)
                    if (head := queue.head()) is not None:
                        heapq.heappush(heads, (*head, queue))
                    continue
                blocked = _blocked(decision, queue.wanted, now_ms)
                if decision.fitting and len(aside) < MAX_ASIDE:
                    # It waits for another agent; those behind it may take the free one.
                    events.extend(_told(state, [task_id], blocked))
                    aside.append((queue, task))
                    queue.remove(task_id)
                    if (head := queue.head()) is not None:
                        heapq.heappush(heads, (*head, queue))
                    continue
            events.extend(_told(state, queue.to_tell(blocked.code), blocked))
        for queue, task in aside:
            queue.add(task)
        return events

    def _wait_queues(
        self, state: FleetState, changed: Iterable[TaskId] | None, now_ms: int
    ) -> WaitQueues:
        if self._waiting is None or changed is None:
            self._waiting = WaitQueues(self._requirement)
            changed = state.open_tasks
        self._waiting.follow(state, changed, now_ms)
        return self._waiting

    def decide(self, task: Task, wanted: Requirement, round_: "Round") -> RoutingDecision:
        """One decision with everything it was based on."""
        candidate_set = self._candidate_set(wanted, round_)
        ranking = candidate_set.home()
        if ranking is None or not len(ranking):
            return RoutingDecision(
                strategy=ranking.pool.strategy if ranking is not None else Strategy.LOAD_AWARE,
                policy=self.fleet.digest,
                considered=candidate_set.considered,
                rejections=candidate_set.rejections(),
                pool=ranking.pool.name if ranking is not None else None,
            )
        avoided = to_avoid(task, round_.now_ms)
        if not candidate_set.has_others(avoided):
            avoided = frozenset()
        candidates: tuple[Candidate, ...] = ()
        for each in candidate_set.free_rankings():  # who is free in its home may have failed it
            if candidates := _best(task, each, round_, avoided):
                ranking = each
                break
        pool = ranking.pool
        if not candidates:
            return RoutingDecision(
                strategy=pool.strategy,
                policy=self.fleet.digest,
                considered=candidate_set.considered,
                rejections=(*candidate_set.rejections(), _failed_it(avoided)),
                fitting=len(ranking),
                pool=pool.name,
            )
        return RoutingDecision(
            strategy=pool.strategy,
            policy=self.fleet.digest,
            considered=candidate_set.considered,
            rejections=candidate_set.rejections(),
            fitting=len(ranking),
            candidates=candidates,
            pool=pool.name,
            note=_note(
                task,
                pool.strategy,
                self._order[pool.name],
                round_.state.agents[candidates[0].agent],
            ),
        )

    def _requirement(self, task: Task) -> Requirement:
        resumes = task.spec.task_class is TaskClass.RESUMABLE
        return requirement_of(
            self.fleet, task.spec, goes_on=resumes and task.checkpoint is not None
        )

    def _candidate_set(self, wanted: Requirement, round_: "Round") -> CandidateSet:
        """The round's candidates for a requirement, updated with the slots assigned so far."""
        candidate_set = round_.candidate_sets.get(id(wanted))
        if candidate_set is None:
            pools = {spec.pool for spec in self._roster.eligible(wanted).agents}
            rankings = {
                name: PoolRanking(self.fleet.pools[name], self._order[name], wanted.needs)
                for name in pools
            }
            candidate_set = CandidateSet(
                wanted,
                self._roster,
                rankings,
                round_.state.agents,
                round_.probes,
                dict(round_.given),
                round_.now_ms,
            )
            candidate_set.seen = len(round_.placed)
            round_.candidate_sets[id(wanted)] = candidate_set
        while candidate_set.seen < len(round_.placed):
            name = round_.placed[candidate_set.seen]
            candidate_set.seen += 1
            candidate_set.follow(name, round_.given[name])
        return candidate_set


def _best(
    task: Task, ranking: PoolRanking, round_: "Round", avoided: frozenset[AgentName]
) -> tuple[Candidate, ...]:
    found = ranking.best(
        MAX_SCORED + len(avoided),
        frozenset(a.agent for a in task.attempts),
        round_.turns.get(ranking.pool.name),
    )
    return tuple(c for c in found if c.agent not in avoided)[:MAX_SCORED]


def to_avoid(task: Task, now_ms: int) -> frozenset[AgentName]:
    """Agents that failed the task by their own fault, for AVOID_MS: they are free because of that,
    and would fail it until it has no tries left."""
    last = task.attempt
    if last is None or now_ms - (last.ended_at_ms or last.planned_at_ms) >= AVOID_MS:
        return frozenset()
    return frozenset(a.agent for a in task.attempts if a.blame is Blame.AGENT)


def _failed_it(avoided: frozenset[AgentName]) -> Rejection:
    names = sorted(avoided)
    return Rejection(
        rule=Rule.SLOTS,
        wanted="a free slot elsewhere",
        count=len(names),
        left=0,
        agents=tuple(names[:MAX_NAMED_PER_RULE]),
        example=f"{names[0]} failed it, and the other agents are busy",
    )


def _placed(task: Task, decision: RoutingDecision) -> TaskPlaced:
    assert decision.chosen is not None
    number = len(task.attempts) + 1
    return TaskPlaced(
        task=task.id,
        run=run_id(task.id, number),
        number=number,
        agent=decision.chosen,
        decision=decision,
    )


def _blocked(decision: RoutingDecision, asked: Requirement, now_ms: int) -> Pending:
    code = pending_code(decision)
    last = next((r for r in decision.rejections if r.left == 0), None)
    wanted = last.wanted if last is not None else ""
    nearest = last.agents[0] if last is not None else None
    return Pending(
        code=code,
        since_ms=now_ms,
        detail=_why_waiting(code, wanted),
        remedy=_remedy(code, wanted, nearest, goes_on=asked.goes_on),
        decision=decision,
    )


def over_budget(budget: RetryBudget, now_ms: int) -> Pending:
    """Why retries wait while the budget is spent."""
    detail = f"the fleet's retry budget is spent ({budget.percent} %, {budget.floor} a minute)"
    return Pending(code=PendingCode.RETRY_BUDGET, since_ms=now_ms, detail=detail)


def _told(state: FleetState, tasks: Iterable[TaskId], blocked: Pending) -> Iterator[TaskPending]:
    for task_id in tasks:
        known = state.open_tasks[task_id].pending
        if known is None or known.code is not blocked.code:
            yield TaskPending(task=task_id, pending=blocked)


class Round:
    """The slots assigned so far in one round. Lives inside one call."""

    def __init__(self, state: FleetState, probes: ProbeResults, now_ms: int) -> None:
        self.state = state
        self.probes = probes
        self.now_ms = now_ms
        self.given: dict[AgentName, int] = {}
        self.turns = dict(state.turns)
        self.placed: list[AgentName] = []
        """The agents that got a task, in order; candidate sets follow it."""
        self.candidate_sets: dict[int, CandidateSet] = {}
        """By the identity of the requirement, which its queue keeps alive for the round."""

    def hold(self, decision: RoutingDecision) -> None:
        """Count the chosen agent's slot as taken for the rest of the round."""
        chosen, pool = decision.chosen, decision.pool
        assert chosen is not None
        assert pool is not None
        self.given[chosen] = self.given.get(chosen, 0) + 1
        self.turns[pool] = chosen
        self.placed.append(chosen)


def pending_code(decision: RoutingDecision) -> PendingCode:
    """Why a decision chose no agent: the rule that removed the last candidate.

    Where some agents are merely full, waiting helps, whatever else removed the others.
    """
    if not decision.considered:
        return PendingCode.NO_FLEET
    if any(r.rule is Rule.SLOTS for r in decision.rejections):
        return PendingCode.CAPACITY
    for rejection in decision.rejections:
        if rejection.left == 0:
            return rejection.rule.pending
    return PendingCode.CAPACITY


def _why_waiting(code: PendingCode, wanted: str) -> str:
    match code:
        case PendingCode.NO_FLEET:
            return "the fleet has no agents"
        case PendingCode.CAPACITY:
            return "every eligible agent is busy"
        case PendingCode.STATE:
            return "every eligible agent is out of service"
        case PendingCode.TRIAL:
            return (
                "eligible agents are failing their runs, and only work that may run again is "
                "tried there"
            )
        case PendingCode.CORDON:
            return "every eligible agent is cordoned"
        case PendingCode.PIN:
            return f"no agent is called {wanted}"
        case PendingCode.POOL:
            return f"no agent in pool {wanted}"
        case PendingCode.CAPABILITY:
            return f"no agent has {wanted}"
        case PendingCode.RESIDENCY:
            return f"no eligible agent is in {wanted}"
        case PendingCode.ISOLATION:
            return f"no eligible agent may work for {wanted}"
        case (
            PendingCode.NEW
            | PendingCode.BACKOFF
            | PendingCode.BRAKE
            | PendingCode.RETRY_BUDGET
            | PendingCode.HOLD
        ):
            return ""
        case _:
            assert_never(code)


def _remedy(code: PendingCode, wanted: str, nearest: AgentName | None, *, goes_on: bool) -> str:
    """The smallest change that would place the task, in words; empty when waiting is the answer."""
    match code:
        case PendingCode.CAPABILITY if goes_on:
            return "return an agent that is a program to service, or add one"
        case PendingCode.CAPABILITY:
            return f"give {nearest} the capability {wanted}, or add an agent"
        case PendingCode.RESIDENCY:
            return f"add an agent in {wanted} like {nearest}"
        case PendingCode.ISOLATION:
            return f"reserve an agent for {wanted}, such as {nearest}"
        case PendingCode.PIN | PendingCode.POOL:
            return "correct the name, or submit without it"
        case PendingCode.CORDON:
            return f"uncordon {nearest}"
        case PendingCode.STATE:
            return f"wait for {nearest}, or return it to service"
        case PendingCode.TRIAL:
            return f"fix {nearest} and uncordon it, or submit work that may run again"
        case PendingCode.NO_FLEET:
            return "add agents to the fleet file"
        case (
            PendingCode.NEW
            | PendingCode.CAPACITY
            | PendingCode.BACKOFF
            | PendingCode.BRAKE
            | PendingCode.RETRY_BUDGET
            | PendingCode.HOLD
        ):
            return ""
        case _:
            assert_never(code)


def _note(
    task: Task, strategy: Strategy, order: Mapping[AgentName, int], chosen: AgentState
) -> str:
    last = task.attempt
    if chosen.breaker is not None:
        return f"{chosen.name} is on trial: {chosen.breaker.reason}"
    if last is not None:
        why = reason_of(last) or last.phase.value
        word = "retry" if last.phase is AttemptPhase.FAILED else "failover"
        return f"{word} {len(task.attempts)} after {last.agent}: {why}"
    if strategy is Strategy.ROUND_ROBIN:
        return f"turn {order[chosen.name] + 1} of {len(order)}"
    return ""
