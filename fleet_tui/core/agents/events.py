"""What the ledger says about agents."""

from fleet_tui.core.agents.breaker import SETTLED_MS
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, Limit
from fleet_tui.core.ids import AgentName, PoolName, TaskId
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted


class AboutAgent(EventBase, frozen=True, kw_only=True):
    """What becomes of an agent."""

    agent: AgentName


class AboutPool(EventBase, frozen=True, kw_only=True):
    """What becomes of a pool of agents."""

    pool: PoolName


class HealthChanged(AboutAgent, frozen=True, kw_only=True, tag="agent.health"):
    """An agent's looks add up to something new."""

    health: Health
    was: Health
    reason: str
    failure: FailureKind | None = None
    detail: Untrusted = NOTHING_SAID
    quarantine_until_ms: int | None = None


class AgentIdentified(AboutAgent, frozen=True, kw_only=True, tag="agent.identified"):
    """An agent told its version or process, for the first time or anew."""

    version: str | None
    boot_id: str | None
    limits: tuple[Limit, ...] = ()
    """What its release cannot do."""


class AgentCordoned(AboutAgent, frozen=True, kw_only=True, tag="agent.cordoned"):
    """Kept out of routing."""

    by: str
    reason: str = ""


class AgentUncordoned(AboutAgent, frozen=True, kw_only=True, tag="agent.uncordoned"):
    """Back in routing."""

    by: str


class AgentTripped(AboutAgent, frozen=True, kw_only=True, tag="agent.tripped"):
    """An agent gets no work because what it got failed: for the first time, or a trial of it ended
    without success."""

    reason: str
    detail: Untrusted = NOTHING_SAID
    until_ms: int
    """No trial before this instant."""
    opens: int = 1
    harmless: bool = False
    tasks: tuple[TaskId, ...] = ()
    """Those that failed now."""
    settled_ms: int = SETTLED_MS
    """How long a trial has to go on to count as one that does not fail."""


class AgentTrusted(AboutAgent, frozen=True, kw_only=True, tag="agent.trusted"):
    """An agent gets work again: a trial went well, the tasks were to blame, or somebody said so."""

    reason: str
    by: str = ""
    """The operator who said so; empty where the engine found out."""


class FailoverFrozen(AboutPool, frozen=True, kw_only=True, tag="failover.frozen"):
    """Too many agents of a pool were lost at once to believe it."""

    reason: str


class FailoverThawed(AboutPool, frozen=True, kw_only=True, tag="failover.thawed"):
    """Failover of the pool works again."""


AgentEvent = (
    HealthChanged | AgentIdentified | AgentCordoned | AgentUncordoned | AgentTripped | AgentTrusted
)
"""What becomes of an agent."""

PoolEvent = FailoverFrozen | FailoverThawed
"""What becomes of a pool."""
