"""One round of routing: which waiting tasks go where now, and why the others wait.

Urgent first, then first come first served. A round is pure: the same state, looks and instant give
the same events, and offline replay recomputes every decision.
"""

from collections.abc import Mapping
from typing import assert_never

from fleet_tui.core.decision import (
    MAX_SCORED,
    Decision,
    Pending,
    PendingCode,
    Rejection,
    Rule,
)
from fleet_tui.core.events import Event, TaskPending, TaskPlaced
from fleet_tui.core.fleet import FleetSpec, RetryBudget, Strategy
from fleet_tui.core.ids import AgentName, PoolName, TaskId, run_id
from fleet_tui.core.retry_budget import retry_allowance
from fleet_tui.core.routing.lineup import Lineup, PoolLine
from fleet_tui.core.routing.requirement import (
    MAX_REMEMBERED,
    Requirement,
    Roster,
    requirement_of,
)
from fleet_tui.core.state import AttemptPhase, FleetState, Task, TaskSpec
from fleet_tui.core.vitals import Look

MAX_PLACED_PER_ROUND = 256
"""So that one round never holds up the engine; the next round goes on."""

Looks = Mapping[AgentName, Look]


class Router:
    """Routes for one fleet file; made anew when the file changes.

    Holds nothing but answers that follow from the file and from what tasks ask for.
    """

    def __init__(self, fleet: FleetSpec) -> None:
        self.fleet = fleet
        self._roster = Roster(fleet)
        self._order: dict[PoolName, dict[AgentName, int]] = {}
        for spec in fleet.agents.values():
            places = self._order.setdefault(spec.pool, {})
            places[spec.name] = len(places)
        self._wanted: dict[TaskId, tuple[TaskSpec, Requirement]] = {}
        """With the spec it was made from: an operator may change that."""
        self._same: dict[Requirement, Requirement] = {}

    def schedule(self, state: FleetState, looks: Looks, now_ms: int) -> list[Event]:
        """The events of one round: placements, and pending reasons that changed."""
        events: list[Event] = []
        round_ = _Round(state, looks)
        waiting = sorted(state.waiting(), key=_urgency)
        self._forget_closed(state, len(waiting))
        retries_left = retry_allowance(state, now_ms)
        stuck: dict[int, tuple[Decision, PendingCode]] = {}
        for task in waiting:
            if len(round_.placed) >= MAX_PLACED_PER_ROUND:
                break
            if task.not_before_ms > now_ms or task.hold is not None:
                continue
            if task.is_retry and retries_left <= 0:
                events.extend(_over_budget(task, self.fleet.retry_budget, now_ms))
                continue
            wanted = self._requirement(task)
            # Equal requirements are one object here, so that a long queue costs a look-up a task.
            blocked = stuck.get(id(wanted))
            if blocked is None:
                decision = self.decide(task, wanted, round_)
                if decision.chosen is not None:
                    round_.hold(decision)
                    retries_left -= task.is_retry
                    events.append(_placed(task, decision))
                    continue
                blocked = stuck[id(wanted)] = (decision, pending_code(decision))
            if task.pending is None or task.pending.code is not blocked[1]:
                events.append(_pending(task, *blocked, now_ms))
        return events

    def _requirement(self, task: Task) -> Requirement:
        known = self._wanted.get(task.id)
        if known is None or known[0] is not task.spec:
            wanted = requirement_of(self.fleet, task.spec)
            known = self._wanted[task.id] = (task.spec, self._same.setdefault(wanted, wanted))
        return known[1]

    def _forget_closed(self, state: FleetState, waiting: int) -> None:
        if len(self._wanted) > 2 * waiting + MAX_REMEMBERED:
            self._wanted = {t.id: (t.spec, self._requirement(t)) for t in state.waiting()}
            self._same = {wanted: wanted for _, wanted in self._wanted.values()}

    def explain(self, state: FleetState, looks: Looks, task: Task) -> Decision:
        """What routing would say about the task at this moment, alone in the queue."""
        return self.decide(task, requirement_of(self.fleet, task.spec), _Round(state, looks))

    def decide(self, task: Task, wanted: Requirement, round_: "_Round") -> Decision:
        """One decision with everything it was made from."""
        lineup = self._lineup(wanted, round_)
        line = lineup.line()
        if line is None or not len(line):
            return Decision(
                strategy=line.pool.strategy if line is not None else Strategy.LOAD_AWARE,
                policy=self.fleet.digest,
                considered=lineup.considered,
                rejections=lineup.rejections(),
                pool=line.pool.name if line is not None else None,
            )
        pool = line.pool
        tried = frozenset(a.agent for a in task.attempts)
        candidates = line.best(MAX_SCORED, tried, round_.turns.get(pool.name))
        return Decision(
            strategy=pool.strategy,
            policy=self.fleet.digest,
            considered=lineup.considered,
            rejections=lineup.rejections(),
            fitting=len(line),
            candidates=candidates,
            pool=pool.name,
            note=_note(task, pool.strategy, self._order[pool.name], candidates[0].agent),
        )

    def _lineup(self, wanted: Requirement, round_: "_Round") -> Lineup:
        """The round's line-up for a requirement, up to date with what was given away."""
        lineup = round_.lineups.get(id(wanted))
        if lineup is None:
            eligible = self._roster.eligible(wanted)
            lines = {
                name: PoolLine(self.fleet.pools[name], self._order[name], wanted.needs)
                for name in {spec.pool for spec in eligible.agents}
            }
            lineup = Lineup(eligible, lines, round_.state.agents, round_.looks, dict(round_.given))
            lineup.seen = len(round_.placed)
            round_.lineups[id(wanted)] = lineup
        while lineup.seen < len(round_.placed):
            name = round_.placed[lineup.seen]
            lineup.seen += 1
            lineup.follow(name, round_.given[name])
        return lineup


def _urgency(task: Task) -> tuple[int, int, int, int]:
    expedited = task.expedited_at_ms
    if expedited is not None:
        return (-1, expedited, task.spec.priority, task.number)
    return (task.spec.priority, task.submitted_at_ms, 0, task.number)


def _over_budget(task: Task, budget: RetryBudget, now_ms: int) -> list[Event]:
    if task.pending is not None and task.pending.code is PendingCode.RETRY_BUDGET:
        return []
    detail = f"the fleet's retry budget is spent ({budget.percent} %, {budget.floor} a minute)"
    pending = Pending(code=PendingCode.RETRY_BUDGET, since_ms=now_ms, detail=detail)
    return [TaskPending(task=task.id, pending=pending)]


def _placed(task: Task, decision: Decision) -> TaskPlaced:
    assert decision.chosen is not None
    number = len(task.attempts) + 1
    return TaskPlaced(
        task=task.id,
        run=run_id(task.id, number),
        number=number,
        agent=decision.chosen,
        decision=decision,
    )


def _pending(task: Task, decision: Decision, code: PendingCode, now_ms: int) -> TaskPending:
    last = next((r for r in decision.rejections if r.left == 0), None)
    pending = Pending(
        code=code,
        since_ms=now_ms,
        detail=_why_waiting(code, last),
        remedy=_remedy(code, last),
        decision=decision,
    )
    return TaskPending(task=task.id, pending=pending)


class _Round:
    """What has been given away so far in one round. Lives inside one call."""

    def __init__(self, state: FleetState, looks: Looks) -> None:
        self.state = state
        self.looks = looks
        self.given: dict[AgentName, int] = {}
        self.turns = dict(state.turns)
        self.placed: list[AgentName] = []
        """Who got something, in order; line-ups follow it."""
        self.lineups: dict[int, Lineup] = {}
        """By the identity of the requirement, which the router keeps alive for the round."""

    def hold(self, decision: Decision) -> None:
        """Count the chosen agent's slot as taken for the rest of the round."""
        chosen, pool = decision.chosen, decision.pool
        assert chosen is not None
        assert pool is not None
        self.given[chosen] = self.given.get(chosen, 0) + 1
        self.turns[pool] = chosen
        self.placed.append(chosen)


_CODE_OF_RULE = {
    Rule.PIN: PendingCode.PIN,
    Rule.POOL: PendingCode.POOL,
    Rule.CAPABILITY: PendingCode.CAPABILITY,
    Rule.RESIDENCY: PendingCode.RESIDENCY,
    Rule.ISOLATION: PendingCode.ISOLATION,
    Rule.HOME: PendingCode.POOL,
    Rule.STATE: PendingCode.STATE,
    Rule.CORDON: PendingCode.CORDON,
    Rule.SLOTS: PendingCode.CAPACITY,
}


def pending_code(decision: Decision) -> PendingCode:
    """Why a decision without a choice has none: the rule that removed the last candidate.

    Where some agents are merely full, waiting helps, whatever else removed the others.
    """
    if not decision.considered:
        return PendingCode.NO_FLEET
    if any(r.rule is Rule.SLOTS for r in decision.rejections):
        return PendingCode.CAPACITY
    for rejection in decision.rejections:
        if rejection.left == 0:
            return _CODE_OF_RULE[rejection.rule]
    return PendingCode.CAPACITY


def _why_waiting(code: PendingCode, last: Rejection | None) -> str:
    match code:
        case PendingCode.NO_FLEET:
            return "the fleet has no agents"
        case PendingCode.CAPACITY:
            return "every agent that fits is busy"
        case PendingCode.STATE:
            return "every agent that fits is out of service"
        case PendingCode.CORDON:
            return "every agent that fits is cordoned"
        case PendingCode.PIN:
            return f"no agent is called {last.wanted if last else '?'}"
        case PendingCode.POOL:
            return f"no agent in pool {last.wanted if last else '?'}"
        case PendingCode.CAPABILITY:
            return f"no agent has {last.wanted if last else '?'}"
        case PendingCode.RESIDENCY:
            return f"no agent that fits is in {last.wanted if last else '?'}"
        case PendingCode.ISOLATION:
            return f"no agent that fits may work for {last.wanted if last else '?'}"
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


def _remedy(code: PendingCode, last: Rejection | None) -> str:
    """The smallest change that would place the task, in words; empty when waiting is the answer."""
    nearest = last.agents[0] if last is not None and last.agents else None
    match code:
        case PendingCode.CAPABILITY:
            return f"give {nearest} the capability {last.wanted if last else ''}, or add an agent"
        case PendingCode.RESIDENCY:
            return f"add an agent in {last.wanted if last else ''} that fits like {nearest}"
        case PendingCode.ISOLATION:
            return f"reserve an agent for {last.wanted if last else ''}, such as {nearest}"
        case PendingCode.PIN | PendingCode.POOL:
            return "correct the name, or submit without it"
        case PendingCode.CORDON:
            return f"uncordon {nearest}"
        case PendingCode.STATE:
            return f"bring {nearest} back"
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


def _note(task: Task, strategy: Strategy, order: Mapping[AgentName, int], chosen: AgentName) -> str:
    last = task.attempt
    if last is not None:
        why = last.reason or last.phase.value
        word = "failover" if last.phase is not AttemptPhase.FAILED else "retry"
        return f"{word} {len(task.attempts)} after {last.agent}: {why}"
    if strategy is Strategy.ROUND_ROBIN:
        return f"turn {order[chosen] + 1} of {len(order)}"
    return ""
