"""Sentences for the events of agents and their pools."""

from typing import assert_never

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
from fleet_tui.core.agents.model import Health
from fleet_tui.core.ledger.sentence import Sentence
from fleet_tui.core.logs import Level


def agent_sentence(event: AgentEvent) -> Sentence:
    """The sentence for an event of an agent."""
    match event:
        case HealthChanged():
            return _health(event)
        case AgentCordoned(agent=agent, by=by, reason=reason):
            why = f": {reason}" if reason else ""
            return Sentence(level=Level.INFO, text=f"{agent} cordoned by {by}{why}", agent=agent)
        case AgentUncordoned(agent=agent, by=by):
            return Sentence(level=Level.INFO, text=f"{agent} uncordoned by {by}", agent=agent)
        case AgentIdentified(agent=agent, version=version):
            return Sentence(level=Level.DEBUG, text=f"{agent} {_runs(version)}", agent=agent)
        case AgentTripped(agent=agent, reason=reason, detail=detail):
            text = f"{agent} gets no tasks for now: {reason}"
            return Sentence(level=Level.ERROR, text=text, detail=detail, agent=agent)
        case AgentTrusted(agent=agent, reason=reason):
            text = f"{agent} gets tasks again: {reason}"
            return Sentence(level=Level.INFO, text=text, agent=agent)
        case CanaryStarted(agent=agent):
            text = f"{agent} is tested with a canary run"
            return Sentence(level=Level.INFO, text=text, agent=agent)
        case CanaryEnded(agent=agent, ok=True):
            text = f"a canary run on {agent} succeeded"
            return Sentence(level=Level.INFO, text=text, agent=agent)
        case CanaryEnded(agent=agent, reason=reason, detail=detail):
            text = f"a canary run on {agent} failed: {reason}"
            return Sentence(level=Level.WARN, text=text, detail=detail, agent=agent)
        case _:
            assert_never(event)


def pool_sentence(event: PoolEvent) -> Sentence:
    """The sentence for an event of a pool."""
    match event:
        case FailoverBraked(pool=pool, reason=reason):
            return Sentence(level=Level.ERROR, text=f"failover of {pool} stopped: {reason}")
        case FailoverResumed(pool=pool):
            return Sentence(level=Level.INFO, text=f"failover of {pool} works again")
        case _:
            assert_never(event)


_HEALTH_LEVEL = {
    Health.JOINING: Level.INFO,
    Health.UP: Level.INFO,
    Health.DEGRADED: Level.WARN,
    Health.SUSPECT: Level.WARN,
    Health.STARTING: Level.INFO,
    Health.DRAINING: Level.INFO,
    Health.UNREACHABLE: Level.ERROR,
    Health.DOWN: Level.ERROR,
    Health.QUARANTINED: Level.ERROR,
    Health.RETIRED: Level.INFO,
}


def _health(event: HealthChanged) -> Sentence:
    return Sentence(
        level=_HEALTH_LEVEL[event.health],
        text=f"{event.agent} {event.was} -> {event.health}: {event.reason}",
        detail=event.detail,
        agent=event.agent,
    )


def _runs(version: str | None) -> str:
    """The version that an agent runs; cut to printable characters, a remote version string is safe
    in our own text. Command agents have none."""
    if not version:
        return "answers"
    return f"runs {''.join(ch for ch in version[:40] if ch.isprintable())}"
