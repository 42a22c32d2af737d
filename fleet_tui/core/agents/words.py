"""The word for an agent's state and the sort order of agents, the same everywhere."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, assert_never

from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import Limit
from fleet_tui.core.ids import AgentName
from fleet_tui.core.text.firewall import safe_line

MAX_NAMED = 5
"""This many agents of a release are named; the rest are counted."""
MAX_VERSION_CHARS = 40


class AgentWord(StrEnum):
    """The state shown for an agent: its health, or that it is kept out of routing while healthy."""

    DOWN = "down"
    UNREACHABLE = "unreachable"
    QUARANTINED = "quarantined"
    SUSPECT = "suspect"
    DEGRADED = "degraded"
    STARTING = "starting"
    JOINING = "joining"
    DRAINING = "draining"
    CORDONED = "cordoned"
    UP = "up"
    RETIRED = "retired"

    @property
    def order(self) -> int:
        """Its place in a list, worst first; the healthy and the retired last. Equals are sorted by
        how new their state is."""
        match self:
            case AgentWord.DOWN | AgentWord.UNREACHABLE:
                return 0
            case AgentWord.QUARANTINED:
                return 1
            case AgentWord.SUSPECT:
                return 2
            case AgentWord.DEGRADED:
                return 3
            case AgentWord.STARTING | AgentWord.JOINING | AgentWord.DRAINING:
                return 4
            case AgentWord.CORDONED:
                return 5
            case AgentWord.UP:
                return 6
            case AgentWord.RETIRED:
                return 7
            case _:
                assert_never(self)

    @property
    def is_problem(self) -> bool:
        """Whether it needs an operator's attention."""
        return self.order < AgentWord.CORDONED.order


def word_of(agent: AgentState) -> AgentWord:
    """The word for an agent."""
    if agent.cordon is not None and agent.health.takes_work:
        return AgentWord.CORDONED
    return health_word(agent.health)


def health_word(health: Health) -> AgentWord:
    """The word for an agent of that health that is not cordoned."""
    match health:
        case Health.DOWN:
            return AgentWord.DOWN
        case Health.UNREACHABLE:
            return AgentWord.UNREACHABLE
        case Health.QUARANTINED:
            return AgentWord.QUARANTINED
        case Health.SUSPECT:
            return AgentWord.SUSPECT
        case Health.DEGRADED:
            return AgentWord.DEGRADED
        case Health.STARTING:
            return AgentWord.STARTING
        case Health.JOINING:
            return AgentWord.JOINING
        case Health.DRAINING:
            return AgentWord.DRAINING
        case Health.UP:
            return AgentWord.UP
        case Health.RETIRED:
            return AgentWord.RETIRED
        case _:
            assert_never(health)


def worst_first(word: AgentWord, since_ms: int, name: str) -> tuple[int, int, str]:
    """The key that sorts agents: the worst first, newer trouble before older, the healthy by name.
    ``since_ms`` is when its health last changed."""
    return (word.order, -since_ms if word.is_problem else 0, name)


def listed(agents: Iterable[AgentState]) -> list[AgentState]:
    """The agents in that order."""
    return sorted(agents, key=lambda a: worst_first(word_of(a), a.since_ms, a.name))


class LimitedRelease(NamedTuple):
    """Agents that run one release with limits that newer ones do not have."""

    version: str
    """Safe to show."""
    agents: tuple[AgentName, ...]
    limits: tuple[Limit, ...]

    @property
    def named(self) -> str:
        """``2026.6.11 (anna, bert)``."""
        few = ", ".join(self.agents[:MAX_NAMED])
        more = len(self.agents) - MAX_NAMED
        return f"{self.version} ({few}{f' and {more} more' if more > 0 else ''})"


def limited_releases(agents: Iterable[AgentState]) -> list[LimitedRelease]:
    """The releases with limits, and the agents that run them, in the agents' order, for operators
    to read before a task is sent. Agents that left the fleet file are not included."""
    found: dict[tuple[str, tuple[Limit, ...]], list[AgentName]] = {}
    for agent in agents:
        if agent.limits and agent.health is not Health.RETIRED:
            version = safe_line(agent.version or "unknown", MAX_VERSION_CHARS)
            found.setdefault((version, agent.limits), []).append(agent.name)
    return [
        LimitedRelease(version, tuple(names), limits) for (version, limits), names in found.items()
    ]
