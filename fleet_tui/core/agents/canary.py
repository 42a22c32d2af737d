"""Canary runs: tests whether an agent whose work failed works again, with no task at risk.

An agent that answers every probe and fails its work is out of routing until a run succeeds on it.
Where the fleet file allows it, that is a canary run: a short turn with a text of our own, in a
session of its own, which is deleted afterwards like that of any run. It costs the model usage of
one short turn. It is not a task: it holds no slot, waits in no queue, is never retried, and is
evidence about its agent only.

It is started, tracked to its end and found again after a restart like any run, whatever happens to
its agent meanwhile, because it is paid for. Its id consists of its agent and its instant, so that
any engine can derive it.
"""

from typing import assert_never

from msgspec.structs import replace

from fleet_tui.core.agents.breaker import CanaryRun
from fleet_tui.core.agents.events import CanaryEnded, CanaryStarted
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.outcomes import Tried, blame_for_refusal, still_distrusted, trust
from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import AgentName, RunId, TaskId, run_id, split_run_id
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import RunReport, cost_of
from fleet_tui.core.tasks.codes import FailedCode, died_words, failed_words, not_started_words
from fleet_tui.core.tasks.evidence import (
    Blame,
    Definite,
    Died,
    Finished,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Stopped,
    Unknown,
    Usage,
)
from fleet_tui.core.tasks.retry import trace_id_of
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

PAYLOAD = Untrusted(
    "fleet-tui asks whether you can work. Use no tools. Answer with one word: ready"
)

LIMIT_MS = 180_000
"""A gateway retries a failing model for one to three minutes."""
OVERDUE_MS = LIMIT_MS + 120_000
"""A run with no reported end for this long, while an engine listens, is given up."""
ABANDONED_MS = 3_600_000
"""At this age it is given up in any case, however often engines restart."""
MAX_UNDER_WAY = 16
"""In the whole fleet at once: when a model is out, every agent that uses it fails."""

_PREFIX = "canary-"
"""No task id begins with it: those are upper case."""


def canary_run_id(agent: AgentName, at_ms: int) -> RunId:
    """The id of the agent's canary run that was decided at that instant."""
    return run_id(TaskId(f"{_PREFIX}{agent}"), at_ms)


def agent_of_canary(run: RunId) -> AgentName | None:
    """The agent of the canary run; None for any other run."""
    if not run.startswith(_PREFIX):
        return None
    return AgentName(split_run_id(run)[0].removeprefix(_PREFIX))


def is_canary(task: TaskId) -> bool:
    """Whether the id that stands in place of a task's, as in a log line, is that of a canary
    run."""
    return task.startswith(_PREFIX)


def canary_order(run: CanaryRun) -> RunOrder:
    """What its agent needs to start a canary run."""
    task, number = split_run_id(run.run)
    return RunOrder(
        run_id=run.run,
        task_id=task,
        attempt=number,
        payload=PAYLOAD,
        label=task,
        start_to_close_ms=LIMIT_MS,
        planned_at_ms=run.since_ms,
        trace_id=trace_id_of(run.run),
    )


def reconcile_canaries(state: FleetState, now_ms: int, listens_since_ms: int) -> list[Event]:
    """Begin the canary runs that are due, those that waited longest first, and give up those
    without a reported end. Time before ``listens_since_ms``, when no engine listened, does not
    count."""
    listens_since_ms = max(listens_since_ms, state.engine.started_at_ms)
    events: list[Event] = []
    under_way = 0
    due: list[tuple[int, AgentName]] = []
    for agent in state.agents.values():
        canary = agent.canary
        if canary is None:
            if agent.breaker is not None and _is_due(state.fleet, agent, now_ms):
                due.append((agent.breaker.until_ms, agent.name))
        elif (
            now_ms - max(canary.since_ms, listens_since_ms) >= OVERDUE_MS
            or now_ms - canary.since_ms >= ABANDONED_MS
        ):
            events.extend(_given_up(agent, canary, now_ms))
        else:
            under_way += 1
    if state.engine.mode.mode.starts_work:
        due.sort()
        for _, name in due[: max(0, MAX_UNDER_WAY - under_way)]:
            events.append(CanaryStarted(agent=name, run=canary_run_id(name, now_ms)))
    return events


def _given_up(agent: AgentState, canary: CanaryRun, now_ms: int) -> list[Event]:
    """Whatever kept its end from being reported is no evidence about the agent's work; the cost of
    the run is unknown."""
    reason = f"no result was received for {words.duration(OVERDUE_MS)}"
    ended = replace(_not_well(agent, canary, reason), usage=Usage(unusable=True))
    return [ended, *_still_out(agent, canary, ended, Blame.NOBODY, now_ms)]


def _is_due(fleet: FleetSpec, agent: AgentState, now_ms: int) -> bool:
    spec = fleet.agents.get(agent.name)
    if spec is None or not agent.is_tried_by_canary(spec):
        return False
    return agent.may_be_tried(now_ms) and len(agent.runs) < spec.slots


def learn_of_canary(
    state: FleetState, agent_name: AgentName, run: RunId, report: RunReport, now_ms: int
) -> list[Event]:
    """What a report about the agent's canary run means; nothing for one that is over already."""
    agent = state.agents.get(agent_name)
    canary = agent.canary if agent is not None else None
    if agent is None or canary is None or canary.run != run:
        return []
    match report:
        case Unknown():
            return []  # it is asked about again, until it is overdue
        case Definite(value=fact):
            pass
        case _:
            assert_never(report)
    match fact:
        case Started() | Running():
            return []
        case Finished(ok=True):
            well = _paid(CanaryEnded(agent=agent_name, run=run, ok=True), fact.usage, state)
            if not _tries(agent, canary):
                return [well]
            return [well, *trust(agent, "a canary run succeeded", by_canary=True)]
        case Finished():
            ended = _not_well(agent, canary, failed_words(fact.failure), fact.detail)
            ended = _paid(ended, fact.usage, state)
            # It may have waited for its turn all the time, behind other work.
            blame = Blame.NOBODY if fact.failure == FailedCode.TIMEOUT else Blame.AGENT
            return [ended, *_still_out(agent, canary, ended, blame, now_ms)]
        case NotStarted():
            ended = _not_well(agent, canary, not_started_words(fact.reason), fact.detail)
            blame = blame_for_refusal(fact)
            return [ended, *_still_out(agent, canary, ended, blame, now_ms, has_run=False)]
        case Died():
            ended = _not_well(agent, canary, died_words(fact.reason))
            ended = replace(ended, usage=Usage(unusable=True))
            return [ended, *_still_out(agent, canary, ended, Blame.NOBODY, now_ms)]
        case Stopped():
            ended = _paid(_not_well(agent, canary, "it was stopped"), fact.usage, state)
            return [ended, *_still_out(agent, canary, ended, Blame.NOBODY, now_ms)]
        case _:
            assert_never(fact)


def _tries(agent: AgentState, canary: CanaryRun) -> bool:
    """Whether the canary run tries the current breaker: the agent may have been trusted or
    redefined meanwhile."""
    return agent.breaker is not None and agent.breaker.since_ms <= canary.since_ms


def _not_well(
    agent: AgentState, canary: CanaryRun, reason: str, detail: Untrusted = NOTHING_SAID
) -> CanaryEnded:
    return CanaryEnded(agent=agent.name, run=canary.run, ok=False, reason=reason, detail=detail)


def _paid(ended: CanaryEnded, usage: Usage, state: FleetState) -> CanaryEnded:
    return replace(ended, usage=usage, cost_microusd=cost_of(state, ended.agent, usage))


def _still_out(
    agent: AgentState,
    canary: CanaryRun,
    ended: CanaryEnded,
    blame: Blame,
    now_ms: int,
    *,
    has_run: bool = True,
) -> list[Event]:
    """The agent stays out, if this run is its trial."""
    if agent.breaker is None or not _tries(agent, canary):
        return []
    tried = Tried(
        run=canary.run,
        began_ms=canary.since_ms,
        harmless=not has_run,
        failed="" if blame is Blame.NOBODY else ended.reason,
        detail=ended.detail,
        has_cost=has_run,
    )
    return still_distrusted(agent.breaker, agent, tried, now_ms)
