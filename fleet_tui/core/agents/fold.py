"""Folding events of agents: an agent after a fact about it, its runs or the fleet file, and which
pools fail over."""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.breaker import (
    MAX_CANARIES,
    MAX_HIT,
    MAX_STRIKES,
    Breaker,
    CanaryRun,
    Probation,
    Strike,
)
from fleet_tui.core.agents.events import (
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
    PoolEvent,
)
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.fleet import FleetSpec, Prices
from fleet_tui.core.ids import AgentName, TaskId, split_run_id
from fleet_tui.core.ledger.draft import Draft
from fleet_tui.core.tasks.evidence import Blame, Usage
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task


def fold_agent(draft: Draft, event: AgentEvent) -> None:
    """The agents after a fact about one of them."""
    agent = draft.agents.get(event.agent)
    if agent is not None:
        draft.put_agent(next_agent(agent, event, draft.at_ms))
    if isinstance(event, CanaryEnded):
        pay(draft, event.agent, event.usage, event.cost_microusd)


def fold_pool(draft: Draft, event: PoolEvent) -> None:
    """The pools whose failover is braked after a fact about one of them."""
    match event:
        case FailoverBraked(pool=pool, reason=reason):
            draft.braked_pools = {**draft.braked_pools, pool: reason}
        case FailoverResumed(pool=pool):
            draft.braked_pools = {p: r for p, r in draft.braked_pools.items() if p != pool}
        case _:
            assert_never(event)


def follow_fleet(draft: Draft, before: FleetSpec) -> None:
    """The agents after another fleet file: those it names, and those that still run something."""
    agents: dict[AgentName, AgentState] = {}
    for name, spec in draft.fleet.agents.items():
        known = draft.agents.get(name) or AgentState(name=name, since_ms=draft.at_ms)
        was = before.agents.get(name)
        if was is None or (was.kind, was.host) != (spec.kind, spec.host):
            # Failures under another definition do not count against this one.
            known = replace(known, strikes=(), breaker=None, probation=None)
        if known.health is Health.RETIRED:  # it is back, with what it still runs
            known = replace(
                known,
                health=Health.JOINING,
                since_ms=draft.at_ms,
                reason="",
                failure=None,
                failing_since_ms=None,
            )
        agents[name] = known
    for name, known in draft.agents.items():
        if name not in agents and (known.runs or known.canary is not None):
            agents[name] = (
                known
                if known.health is Health.RETIRED
                else replace(
                    known,
                    health=Health.RETIRED,
                    since_ms=draft.at_ms,
                    reason="",
                    breaker=None,
                    probation=None,
                    prices=before.agents[name].prices if name in before.agents else Prices(),
                )
            )
    draft.agents = agents


def next_agent(agent: AgentState, event: AgentEvent, at_ms: int) -> AgentState:
    """The agent after a fact about it."""
    match event:
        case HealthChanged():
            began_ms = at_ms if agent.fails_since_ms is None else agent.fails_since_ms
            return replace(
                agent,
                health=event.health,
                was_up=agent.was_up or event.health.takes_work,
                since_ms=agent.since_ms if event.health is agent.health else at_ms,
                reason=event.reason,
                failure=event.failure,
                detail=event.detail,
                failing_since_ms=None if event.failure is None else began_ms,
                quarantine_until_ms=event.quarantine_until_ms,
            )
        case AgentIdentified(version=version, boot_id=boot_id, limits=limits):
            breaker = agent.breaker
            is_another = agent.boot_id not in (None, boot_id)
            if breaker is not None and is_another and not _was_paid_for(agent, breaker):
                # A new process may be tried at once, whatever the previous one failed.
                breaker = replace(breaker, until_ms=min(breaker.until_ms, at_ms))
            told = replace(agent, version=version, boot_id=boot_id, limits=limits)
            return replace(told, breaker=breaker)
        case AgentCordoned(by=by, reason=reason):
            return replace(agent, cordon=CordonRecord(by=by, reason=reason, since_ms=at_ms))
        case AgentUncordoned():
            return replace(agent, cordon=None)
        case AgentTripped():
            return replace(agent, breaker=_tripped(agent.breaker, event, at_ms), probation=None)
        case AgentTrusted(by_canary=by_canary):
            harmless = agent.breaker is None or agent.breaker.harmless
            probation = Probation(since_ms=at_ms, harmless=harmless) if by_canary else None
            return replace(agent, breaker=None, strikes=(), probation=probation)
        case CanaryStarted(run=run):
            began = CanaryRun(run=run, since_ms=at_ms)
            return replace(agent, canaries=(*agent.canaries, began)[-MAX_CANARIES:])
        case CanaryEnded():
            ended = tuple(
                _ended(c, event, at_ms) if c.run == event.run else c for c in agent.canaries
            )
            return replace(agent, canaries=ended)
        case _:
            assert_never(event)


def _was_paid_for(agent: AgentState, breaker: Breaker) -> bool:
    """Whether a canary run has tried it already: a gateway that restarts after each of them must
    not cause costs again and again."""
    return any(canary.since_ms >= breaker.since_ms for canary in agent.canaries)


def _ended(canary: CanaryRun, event: CanaryEnded, at_ms: int) -> CanaryRun:
    return replace(
        canary,
        ended_at_ms=at_ms,
        cost_microusd=event.cost_microusd,
        has_unknown_cost=event.usage.unusable,
    )


def _tripped(before: Breaker | None, event: AgentTripped, at_ms: int) -> Breaker:
    known = before.hit if before is not None else ()
    fresh = tuple(task for task in dict.fromkeys(event.tasks) if task not in known)
    return Breaker(
        since_ms=at_ms if before is None else before.since_ms,
        until_ms=event.until_ms,
        opens=event.opens,
        harmless=event.harmless,
        reason=event.reason,
        detail=event.detail,
        hit=(*known, *fresh)[:MAX_HIT],
        settled_ms=event.settled_ms,
        relapsed=event.relapsed,
    )


def with_run(agent: AgentState, attempt: Attempt) -> AgentState:
    """The agent with a run that was planned on it."""
    breaker = agent.breaker
    if breaker is not None and breaker.trial is None:
        breaker = replace(breaker, trial=attempt.run_id)
    return replace(agent, runs=agent.runs | {attempt.run_id}, breaker=breaker)


def without_run(agent: AgentState, ended: Attempt, at_ms: int) -> AgentState:
    """The agent after the end of one of its runs."""
    breaker = agent.breaker
    if breaker is not None and breaker.trial == ended.run_id:
        breaker = replace(breaker, trial=None)
    agent = replace(agent, runs=agent.runs - {ended.run_id}, breaker=breaker)
    if ended.phase is AttemptPhase.SUCCEEDED:
        return replace(
            agent,
            succeeded=agent.succeeded + 1,
            did_well_at_ms=at_ms,
            strikes=(),
            probation=None,
        )
    if ended.blame is Blame.AGENT:
        strike = Strike(
            run=ended.run_id,
            task=split_run_id(ended.run_id)[0],
            at_ms=at_ms,
            harmless=ended.phase.never_started,
            took_ms=max(0, at_ms - (ended.started_at_ms or ended.planned_at_ms)),
        )
        agent = replace(agent, strikes=(*agent.strikes, strike)[-MAX_STRIKES:])
    counts = ended.phase.is_bad_end or ended.blame is Blame.AGENT
    return replace(agent, failed=agent.failed + counts)


def pay(draft: Draft, name: AgentName, usage: Usage, cost_microusd: int) -> None:
    """Add the cost of a run to its agent and to the totals."""
    tokens = usage.total_tokens
    if not tokens and not cost_microusd and not usage.unusable:
        return
    agent = draft.agents.get(name)
    if agent is not None:
        draft.put_agent(with_cost(agent, usage, cost_microusd))
    draft.totals = replace(
        draft.totals,
        cost_microusd=draft.totals.cost_microusd + cost_microusd,
        tokens=draft.totals.tokens + tokens,
    )


def with_cost(agent: AgentState, usage: Usage, cost_microusd: int) -> AgentState:
    """The agent with the cost of one of its runs added."""
    return replace(
        agent,
        cost_microusd=agent.cost_microusd + cost_microusd,
        has_unknown_cost=agent.has_unknown_cost or usage.unusable,
        tokens=agent.tokens + usage.total_tokens,
    )


def excused(agent: AgentState, task: Task) -> AgentState:
    """The agent without its failures of a task that is itself to blame."""
    mine = sum(a.agent == agent.name and a.blame is Blame.AGENT for a in task.attempts)
    breaker = agent.breaker
    if breaker is not None:
        breaker = replace(breaker, hit=_without(breaker.hit, task.id))
    return replace(
        agent,
        failed=max(0, agent.failed - mine),
        strikes=tuple(s for s in agent.strikes if s.task != task.id),
        breaker=breaker,
    )


def _without(tasks: tuple[TaskId, ...], task: TaskId) -> tuple[TaskId, ...]:
    return tuple(t for t in tasks if t != task)
