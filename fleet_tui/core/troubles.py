"""Why agents take no work now, in words that name the cure where it is a person's."""

from collections.abc import Iterator

from fleet_tui.core.decision import PendingCode, Rule
from fleet_tui.core.state import AgentState, FleetState, Health, Task

MAX_NAMED = 5
"""So many agents are named; the rest is counted."""


def trouble_of(agent: AgentState) -> str | None:
    """Why an agent is out of routing, such as ``down: gateway-auth, needs an operator``; None while
    it is in. Of our own words and checked names alone."""
    if agent.cordon is not None:
        return f"cordoned by {agent.cordon.by}"
    if agent.in_service:
        return None
    if agent.failure is not None:
        cure = ", needs an operator" if agent.failure.is_permanent else ""
        return f"{agent.health.value}: {agent.failure.value}{cure}"
    why = f": {agent.reason}" if agent.reason and agent.reason != agent.health.value else ""
    return f"{agent.health.value}{why}"


def waits_for(state: FleetState, task: Task) -> Iterator[str]:
    """Which agents a task waits for that would fit, and what is wrong with each of them now: what
    was recorded when it began to wait may have changed since."""
    pending = task.pending
    if pending is None or pending.decision is None:
        return
    if pending.code not in (PendingCode.STATE, PendingCode.CORDON, PendingCode.CAPACITY):
        return
    names = [
        name
        for rejection in pending.decision.rejections
        if rejection.rule in (Rule.STATE, Rule.CORDON)
        for name in rejection.agents
    ]
    told = 0
    for agent in (state.agents.get(name) for name in names):
        trouble = trouble_of(agent) if agent is not None else None
        if agent is None or trouble is None or agent.health is Health.RETIRED:
            continue
        if told == MAX_NAMED:
            yield "and more"
            return
        told += 1
        yield f"{agent.name}: {trouble}"
