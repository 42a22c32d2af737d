"""Why agents take no work now, with the remedy where an operator has to act."""

from typing import assert_never

import msgspec

from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.fleet import AgentSpec
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.decision import PendingCode
from fleet_tui.core.tasks.model import Task
from fleet_tui.core.text import words
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_NAMED = 5
"""This many agents are named; the rest are counted."""


def trouble_of(agent: AgentState) -> str | None:
    """Why an agent is out of routing, such as ``down: its gateway rejects the token, needs an
    operator``; None while it is in. Contains only our own text and checked names."""
    if agent.cordon is not None:
        return f"cordoned by {agent.cordon.by}"
    if agent.in_service:
        return None
    if agent.failure is not None and agent.failure.is_of_host:
        return f"{agent.health.value}: {agent.reason}"
    if agent.failure is not None:
        cure = ", needs an operator" if agent.failure.is_permanent else ""
        return f"{agent.health.value}: {agent.failure.text}{cure}"
    why = f": {agent.reason}" if agent.reason and agent.reason != agent.health.value else ""
    return f"{agent.health.value}{why}"


class Missing(msgspec.Struct, frozen=True):
    """An eligible agent that takes no work."""

    agent: AgentName
    trouble: str
    """As :func:`trouble_of` has it."""
    said: Untrusted
    """What it, or a hop in front of it, reported about that; may be empty."""
    cure: str
    """As :func:`cure_of` has it."""


class WaitsFor(msgspec.Struct, frozen=True):
    """The eligible agents that a task waits for, and what is wrong with each of them now."""

    told: tuple[Missing, ...] = ()
    more: bool = False
    """Whether there are others."""


def waits_for(state: FleetState, task: Task) -> WaitsFor:
    """Read from the current state: the reason recorded when the task began to wait may be
    outdated."""
    pending = task.pending
    if pending is None or pending.decision is None:
        return WaitsFor()
    if not pending.code.is_for_agents and pending.code is not PendingCode.CAPACITY:
        return WaitsFor()
    names = [
        name
        for rejection in pending.decision.rejections
        if rejection.rule.pending.is_for_agents
        for name in rejection.agents
    ]
    found = [
        Missing(agent.name, trouble, _said_by(agent), cure_of(agent))
        for name in names
        if (agent := state.agents.get(name)) is not None
        and agent.health is not Health.RETIRED
        and (trouble := trouble_of(agent)) is not None
    ]
    return WaitsFor(told=tuple(found[:MAX_NAMED]), more=len(found) > MAX_NAMED)


def _said_by(agent: AgentState) -> Untrusted:
    return NOTHING_SAID if agent.cordon is not None else agent.detail


def cure_of(agent: AgentState) -> str:
    """What an operator can do about an agent that takes no work."""
    if agent.cordon is not None:
        return f"`fleet-tui uncordon {agent.name}` returns it to routing"
    if agent.failure is not None:
        return agent.failure.cure
    if agent.breaker is not None:
        return (
            f"fix the reported problem, then run `fleet-tui uncordon {agent.name}`; a successful "
            "trial also returns it to routing"
        )
    match agent.health:
        case Health.STARTING | Health.JOINING | Health.DRAINING | Health.SUSPECT:
            return "wait; if it persists, check the agent's log"
        case Health.QUARANTINED:
            return "it is flapping: check its host and the network path to it"
        case Health.UP | Health.DEGRADED | Health.UNREACHABLE | Health.DOWN | Health.RETIRED:
            return "check the agent's log"
        case _:
            assert_never(agent.health)


def next_trial(
    agent: AgentState, spec: AgentSpec | None, now_ms: int, offset_minutes: int = 0
) -> str | None:
    """When an agent whose work failed is tried again, and how; None where its breaker is closed, or
    the fleet file no longer names it. Times are shown that many minutes ahead of UTC."""
    breaker = agent.breaker
    if breaker is None or spec is None:
        return None
    if agent.canary is not None:
        since = words.clock(agent.canary.since_ms, offset_minutes)
        return f"canary run in progress since {since}"
    if breaker.trial is not None:
        return "on trial with one task now"
    by_canary = agent.is_tried_by_canary(spec)
    if now_ms < breaker.until_ms:
        what = "a canary run" if by_canary else "one task"
        return f"next trial: {what} from {words.clock(breaker.until_ms, offset_minutes)}"
    if by_canary:
        return "next trial: a canary run"
    if not breaker.harmless:
        return "next trial: the next task that may run again"
    return "next trial: the next eligible task"
